"""Lists as people and their spreadsheets write them: taken as they are meant, or told what is wrong with them."""

import re
import unicodedata

import pytest

from micromime.mistakes import Mistake
from micromime.pictures.lists import SCALE, check_sources, checked_cells, scale_in, table_lines

COLUMNS = ("image", "mask", "source")
PLAIN = "image,mask,source,um_per_px\nimages/b.png,masks/b.png,steel,0.25\n"
READ = {"image": "images/b.png", "mask": "masks/b.png", "source": "steel", "um_per_px": "0.25", "page": "", "rows": ""}


@pytest.fixture
def read(tmp_path):
    """What gives the lines of a list that is written so."""

    def lines(written, columns=COLUMNS):
        content = written if isinstance(written, bytes) else written.encode()
        (tmp_path / "images.csv").write_bytes(content)
        return list(table_lines(tmp_path / "images.csv", columns))

    return lines


def with_heads(*more):
    return PLAIN.replace("um_per_px", ",".join(more)).replace("0.25", ",".join("1" for _ in more))


MEANT = {
    "commas": PLAIN,
    "semicolons": PLAIN.replace(",", ";"),
    "tabs": PLAIN.replace(",", "\t"),
    "decimal comma": PLAIN.replace(",", ";").replace("0.25", "0,25"),
    "decimal comma, tabs": PLAIN.replace(",", "\t").replace("0.25", "0,25"),
    "capitals": PLAIN.replace("image,mask,source,um_per_px", "Image,MASK,Source,UM_PER_PX"),
    "blanks": PLAIN.replace(",", " , ").replace("um_per_px", " um_per_px "),
    "blank inside": PLAIN.replace("um_per_px", "um per px"),
    "micro": PLAIN.replace("um_per_px", "\N{MICRO SIGN}m_per_px"),
    "mu": PLAIN.replace("um_per_px", "\N{GREEK SMALL LETTER MU}m_per_px"),
    "quotes": '"' + PLAIN.strip().replace(",", '","').replace("\n", '"\n"') + '"\n',
    "quotes after blanks": '"' + PLAIN.strip().replace(",", '", "').replace("\n", '"\n"') + '"\n',
    "mark": PLAIN.encode("utf-8-sig"),
    "Unicode text": PLAIN.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
    "other end first": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "group": PLAIN.replace("source", "Group"),
    "no line break at the end": PLAIN.strip(),
    "old Macs": PLAIN.replace("\n", "\r"),
    "empty cells of a spreadsheet": PLAIN.replace("\n", ",,\n") + ",,,,,\n",
    "numbers of rows": "," + PLAIN.replace("\n", "\n0,", 1),
    "blank lines": "\n" + PLAIN.replace("\n", "\n\n"),
    "backslashes": PLAIN.replace("/", "\\"),
    "dots": PLAIN.replace("images/", "./images//"),
}


@pytest.mark.parametrize("how", MEANT)
def test_what_has_one_meaning_is_taken_as_meant(read, how):
    ((_, cells),) = read(MEANT[how])
    assert cells == READ


def test_lines_are_counted_as_an_editor_does(read):
    assert [number for number, _ in read("sep=;\r\nimage;mask;source\r\na;b;c\r\n;;\r\nd;e;f\r\n")] == [3, 5]
    assert [cells["mask"] for _, cells in read('"sep=|"\nimage|mask|source\na|b|c\n')] == ["b"]


@pytest.mark.parametrize("cell", ["0,25", ",25", "1234,5"])
def test_a_decimal_comma_is_a_point_where_commas_do_not_separate(read, cell):
    ((_, cells),) = read(PLAIN.replace(",", ";").replace("0.25", cell))
    assert scale_in(cells[SCALE], "x") == float(cell.replace(",", "."))


def test_what_may_be_thousands_is_no_number(read):
    ((_, cells),) = read(PLAIN.replace(",", "\t").replace("0.25", "1,234"))
    with pytest.raises(Mistake, match="'1,234' is no positive number"):
        scale_in(cells[SCALE], "x")


NEARLY = [
    "um_per_pixel",
    "um/px",
    "\N{MICRO SIGN}m/px",
    "pixel_size_um",
    "pixelsize",
    "PixelSize",
    "um_per_p",
    "scale",
    "mu_per_px",
]
NEARLY += ["nm_per_px", "px_per_um", "pages", "row", "Valid rows", "um_px", "px_size_um", "microns_per_pixel"]


@pytest.mark.parametrize("head", NEARLY)
def test_a_heading_that_is_nearly_one_that_is_read_is_told(read, head):
    with pytest.raises(Mistake, match=rf"has a column '{re.escape(head)}', which is not read: is \w+ meant\?"):
        read(with_heads(head))
    own = {"pages": "page", "row": "rows", "Valid rows": "rows"}.get(head, SCALE)
    assert read(with_heads(head, own))  # what is meant is there: the other may be anything


FREE = ["material", "width", "height", "boundary_fraction", "micrograph", "original_path", "has_crack", "width_px"]
FREE += ["magnification", "stage", "height px", "pixels", "scale_bar", "image_id", "masked", "", "notes"]
FREE += ["x_um", "y_um", "n_rows", "webpage", "images_taken", "Source file", "labels"]


@pytest.mark.parametrize("head", FREE)
def test_other_columns_are_free(read, head):
    ((_, cells),) = read(with_heads(head).replace(",1\n", ",\n"))
    assert cells == READ | {SCALE: ""}


REFUSED = {
    "two names of one": (PLAIN.replace("um_per_px", "group"), "has the columns source and group, which mean the same"),
    "twice": (PLAIN.replace("um_per_px", "Mask"), "has the column mask twice; remove one of them"),
    "scales twice": (with_heads(SCALE, "um per px"), "has the column um_per_px twice"),
    "plural": (
        PLAIN.replace("image,", "images,"),
        r"lacks the column image \(is images meant\?\); .* names images, mask",
    ),
    "other word": (PLAIN.replace("image,", "filename,"), "lacks the column image; .* and it names filename, mask"),
    "no headings": (PLAIN.partition("\n")[2], "lacks the column image; .* and it names images/b.png, masks/b.png"),
    "nothing": ("", "lacks the column image; .* it names nothing"),
    "bars": (PLAIN.replace(",", "|"), r"it names image\|mask\|source"),
    "comma in a name": (
        PLAIN.replace("steel", "iron, pure"),
        r"line 2: the cell '0.25' stands under no heading \(5 cells",
    ),
    "comma in the last": ("image,mask,source,\na,b,iron, pure\n", "line 2: the cell 'pure' .* quotation marks"),
    "semicolon in a name": ("image;mask;source\na;b;c;d\n", "put a cell that holds ';' in double quotation marks"),
    "tab in a name": ("image\tmask\tsource\na\tb\tc\td\n", "put a cell that holds a tab in"),
    "open quotation": (PLAIN.replace("steel", '"steel'), r"is not a table of .* \(unexpected end of data\)"),
    "a workbook": (b"PK\x03\x04\x14\x00\x06\x00\x08\x00", "is not a table of comma-separated values"),
    "UTF-16 without a mark": (PLAIN.encode("utf-16-le"), "is not a table of .* code 0"),
    "Latin-1": (
        PLAIN.replace("steel", "K\u00f6rner").encode("latin-1"),
        "line 2 has a letter that is not in UTF-8; save it as text in UTF-8, which spreadsheets call CSV UTF-8",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_what_is_wrong_with_a_list_is_told_in_one_sentence(read, fault):
    written, told = REFUSED[fault]
    with pytest.raises(Mistake, match=told) as caught:
        read(written)
    assert "\n" not in str(caught.value)


@pytest.fixture
def files(tmp_path):
    """A folder with pictures, of which one has a name as macOS writes it."""
    (tmp_path / "images").mkdir()
    names = ["images/b.png", unicodedata.normalize("NFD", "images/K\u00f6rner.png"), "images/Big.PNG"]
    for name in names:
        (tmp_path / name).write_text("x")
    return names


def test_a_file_is_found_whichever_way_its_accents_are_written(files, read):
    ((_, cells),) = read("image,mask,source\nimages/K\u00f6rner.png,images/b.png,steel\n")
    assert (cells["image"], cells["mask"]) == (files[1], "images/b.png")
    assert cells["image"] != "images/K\u00f6rner.png"


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("written", ["Images/b.png", r"images\big.png", "images/B.png", "images/k\u00f6rner.png"])
def test_capitals_are_those_of_the_file_and_it_is_named(read, written):
    with pytest.raises(Mistake, match=r"line 2: image \S+ is not there, but images/\w+") as caught:
        read(f"image,mask,source\n{written},m,steel\n")
    assert str(caught.value).endswith(" is; write its name with the same capitals.")


@pytest.mark.parametrize("written", ["/images/b.png", r"C:\images\b.png", r"..\b.png", "images/../b.png", "../b.png"])
def test_a_name_that_leaves_the_folder_is_refused_as_it_is_written(read, written):
    ((_, cells),) = read(f"image,mask,source\n{written},m,steel\n")
    with pytest.raises(Mistake, match=rf"{re.escape(repr(written))} leaves the folder; name a file inside it"):
        checked_cells(cells, "line 2", COLUMNS, ("image", "mask"))


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("steel\nimages/c.png", r"holds '\\n', which cannot be printed"),
        ("a\x07", r"holds '\\x07'"),
        ("a\u200bb", r"holds '\\u200b'"),
        ("a\u2028b", r"holds '\\u2028'"),
        ("a\ufffeb", r"holds '\\ufffe'"),
        ("s" * 101, "is 101 characters long; tables have room for 100"),
    ],
)
def test_a_name_that_tables_cannot_show_is_refused(cell, told):
    with pytest.raises(Mistake, match=f"line 2: source '[^']+'(...)? {told}") as caught:
        checked_cells(READ | {"source": cell}, "line 2", COLUMNS, ("image",))
    assert str(caught.value).isprintable()


def test_long_folders_and_names_of_a_hundred_letters_are_allowed():
    checked_cells(READ | {"source": "s" * 100, "image": f"{'d' * 150}/b.png"}, "line 2", COLUMNS, ("image",))
    with pytest.raises(Mistake, match=r"image 'i{20}'\.\.\. is 101 characters long"):
        checked_cells(READ | {"image": f"images/{'i' * 101}.png"}, "line 2", COLUMNS, ("image",))


@pytest.mark.parametrize("other", ["Steel 1", "steel  1", "steel1", "\uff53teel 1"])
def test_one_specimen_has_one_name(other):
    with pytest.raises(Mistake, match=f"line 4: source '{other}' is 'steel 1' in line 2; write both alike"):
        check_sources([("line 2", "steel 1"), ("line 3", "iron"), ("line 4", other)])
    check_sources([("line 2", "steel 1"), ("line 3", "steel 1"), ("line 4", "steel 2")])


def test_no_source_is_called_as_all_of_them_together_are_in_tables():
    with pytest.raises(Mistake, match="line 2: source 'ALL' is what tables call all of them together; give it another"):
        check_sources([("line 2", "ALL")])
