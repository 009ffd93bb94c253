"""Words in tantivy: BM25 over fields that are folded, stemmed as Portuguese, and stemmed as English."""
