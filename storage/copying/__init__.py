"""Copies what one service keeps from one store into another: rows with their numbers, and the files they refer to."""
