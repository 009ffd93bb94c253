"""Where the text of an RTF group goes, told by the control word that the group begins with."""

from enum import Enum, auto


class Destination(Enum):
    """What becomes of the text."""

    BODY = auto()
    FOOTNOTE = auto()
    MARGIN = auto()  # page headers and footers
    FONTS = auto()
    STYLES = auto()
    INFO = auto()
    NOWHERE = auto()


OF_WORD = {
    "fonttbl": Destination.FONTS,
    "stylesheet": Destination.STYLES,
    "info": Destination.INFO,
    "footnote": Destination.FOOTNOTE,
    "shptxt": Destination.BODY,  # a text box inside drawing instructions
    **dict.fromkeys(
        ("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"), Destination.MARGIN
    ),
    **dict.fromkeys(
        (
            *("colortbl", "pict", "nonshppict", "object", "objdata", "objclass", "shprslt", "fldinst", "xe", "tc"),
            *("bkmkstart", "bkmkend", "listtable", "listoverridetable", "revtbl", "rsidtbl", "generator", "themedata"),
            *("colorschememapping", "datastore", "latentstyles", "xmlnstbl", "filetbl", "annotation", "atnid"),
            *("atnauthor", "atndate", "template", "datafield", "ffdeftext", "ffname", "formfield", "private"),
            *("pntxta", "pntxtb", "pnseclvl", "mmathPr", "ftnsep", "ftnsepc", "ftncn", "aftnsep", "aftnsepc", "aftncn"),
            *("rxe", "atnref", "sn", "sv"),
        ),
        Destination.NOWHERE,
    ),
}
# Groups that begin with \* are skipped by readers that do not know them; these hold text all the same.
KNOWN_OPTIONAL = frozenset({"shpinst", "shptxt", "footnote", "fldrslt"})
