"""The encodings that RTF names by code page and by font."""

import codecs

_OF_FONT = {
    77: "mac_roman", 128: "cp932", 129: "cp949", 130: "johab", 134: "gbk", 136: "cp950", 161: "cp1253", 162: "cp1254",
    163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250",
    254: "cp437", 255: "cp850",
}  # fmt: skip
OF_WORD = {"ansi": "cp1252", "mac": "mac_roman", "pc": "cp437", "pca": "cp850"}


def of_code_page(number: int) -> str:
    r"""The codec of \ansicpg; Windows Western where it is not known."""
    name = {65001: "utf-8", 10000: "mac_roman"}.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "cp1252"


def of_font(character_set: int, default: str) -> str:
    r"""The codec of \fcharset. The sets 0 to 2 leave it to the document."""
    return _OF_FONT.get(character_set, default)
