"""Takes passwords out of text that is about to be shown."""

import re

_PASSWORD_IN_ADDRESS = re.compile(r"(://[^\s/:@]*):[^\s@]*@")


def redacted(text: str) -> str:
    """The text, with `***` for the password of each address in it."""
    if "://" not in text:  # of every string of every log line
        return text
    return _PASSWORD_IN_ADDRESS.sub(r"\1:***@", text)
