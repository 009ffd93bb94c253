"""A flat walk over an HTML tree: deep nesting must not become deep recursion."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborNode

_SKIPPED = frozenset({
    "script", "style", "noscript", "template", "nav", "footer", "iframe", "object", "embed", "svg", "canvas", "head",
    "select", "button", "dialog", "map", "audio", "video",
})  # fmt: skip
_HIDDEN_ROLES = frozenset({"navigation", "search", "menu", "menubar", "dialog", "contentinfo"})
_NOT_DISPLAYED = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)


def walk(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every node inside `root` that a reader of the page sees, in order.

    (node, True) where a node opens, and for elements (node, False) where it closes.
    """
    node = root.child
    while node is not None:
        enters = not node.is_element_node or not _is_hidden(node)
        if enters:
            yield node, True
            if node.child is not None:
                node = node.child
                continue
            if node.is_element_node:
                yield node, False
        while node.next is None:
            parent = node.parent
            if parent is None or parent.mem_id == root.mem_id:
                return
            node = parent
            yield node, False
        node = node.next


def _is_hidden(node: LexborNode) -> bool:
    if node.tag in _SKIPPED:
        return True
    attributes = node.attributes
    if not attributes:
        return False
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _HIDDEN_ROLES
        or bool(_NOT_DISPLAYED.search(attributes.get("style") or ""))
    )
