"""What is published: the package's data, the files that the registry gets, README where its files are not beside it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import stylemix_core as sm
from stylemix_core.cli.app import VERBS
from stylemix_core.demo.experiment import style_picture

tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")

ROOT = Path(__file__).parents[2]
CORE = ROOT / "stylemix_core"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = sorted((*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")))
REPOSITORY = PROJECT["project"]["urls"]["Repository"]
RAW = REPOSITORY.replace("//github.com/", "//raw.githubusercontent.com/") + "/main/"
ADDRESS = re.compile(r"\]\(([^)]+)\)")


def git(*arguments: str) -> str:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    return subprocess.check_output(["git", *arguments], cwd=ROOT, encoding="utf-8")


def published() -> set[str]:
    """The registry gets what git tracks, less what .comfyignore names."""
    left_out = git("ls-files", "-z", "--cached", "--ignored", "--exclude-from=.comfyignore")
    return {*git("ls-files", "-z").split("\0")} - {*left_out.split("\0")}


def test_the_version_is_the_packages():
    assert PROJECT["project"]["version"] == sm.__version__


def test_the_projects_names_agree():
    """A registry id in small letters; the same name on the page, in menus, addresses and the log."""
    page = (ROOT / "web" / "stylemix.js").read_text(encoding="utf-8")
    name = PROJECT["tool"]["comfy"]["DisplayName"]
    assert PROJECT["project"]["name"] == name.lower() == "stylemix"
    assert re.findall(r'registerExtension\(\{\s+name: "([^"]+)"', page) == [name]
    nodes = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "nodes").rglob("*.py"))
    assert {found.partition("/")[0] for found in re.findall(r'category="([^"]+)"', nodes)} == {name}
    assert {found.split("/")[1] for found in re.findall(r'routes\.\w+\("([^"]+)"', nodes)} == {name.lower()}
    assert set(re.findall(r'logging\.\w+\("(\w+):', nodes)) == {name}


def test_the_registry_gets_the_pack_and_nothing_that_only_developers_need():
    files = published()
    folders = {file.partition("/")[0] for file in files if "/" in file}
    assert folders == {"docs", "example_workflows", "locales", "nodes", "stylemix_core", "subgraphs", "web"}
    assert {file for file in files if file.startswith("docs/")} == {
        address
        for address in ADDRESS.findall(README)
        if address.startswith("docs/") and address.endswith(".jpg")
    }
    tracked = {*git("ls-files", "-z").split("\0")}
    assert {file for file in tracked - files if file.partition("/")[0] in folders - {"docs"}} == set()
    assert {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md"} <= files
    assert {".npmrc", "eslint.config.js", "package.json", "tsconfig.json"} <= tracked - files


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_to_files_lead_somewhere(page):
    addresses = ADDRESS.findall(page.read_text(encoding="utf-8"))
    files = [address for address in addresses if not address.startswith(("https://", "#"))]
    assert [file for file in files if not (page.parent / file.partition("#")[0]).is_file()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "SECURITY.md", "docs/architecture.md"])
def test_files_that_developers_pages_name_are_there(page):
    """Written `folder/file.py`, or `folder/`, from the checkout's root."""
    written = re.findall(r"`([\w.]+/[\w./]*)`", (ROOT / page).read_text(encoding="utf-8"))
    named = [name for name in written if not re.search("[A-Z]{3}", name)]  # as in nodes/GROUP.py
    assert len(named) > 2
    assert [name for name in named if not (ROOT / name).exists() and not (CORE / name).exists()] == []


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_functions_and_classes_that_developers_pages_name_are_there(page):
    """Written `name` in `folder/`."""
    named = re.findall(r"`(\w+)` in\s+`([\w./]+)`", (ROOT / page).read_text(encoding="utf-8"))
    assert len(named) > 2
    for name, place in named:
        files = [ROOT / place] if (ROOT / place).is_file() else (ROOT / place).rglob("*.py")
        defined = rf"^ *(def|class) {name}\b|^{name}\b.* = "
        assert any(re.search(defined, path.read_text(encoding="utf-8"), re.MULTILINE) for path in files), name


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "README.ko.md"], ids=lambda path: path.name)
def test_readme_lists_every_command(page):
    listed = re.findall(r"^\| `stylemix ([\w-]+)[^`]*` \|", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(listed) == sorted(verb.name for verb in VERBS)


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.suffixes == [".ko", ".md"]], ids=lambda path: path.name
)
def test_korean_pages_have_the_english_ones_figures(page):
    english = page.with_name(page.name.replace(".ko.", "."))
    figures = [re.findall(r"\d+\.\d+", path.read_text(encoding="utf-8")) for path in (page, english)]
    assert sorted(figures[0]) == sorted(figures[1])


@pytest.mark.slow
def test_readmes_python_runs_beside_the_demos_results(tmp_path):
    """Slow: it searches layers."""
    english, korean = (
        path.read_text(encoding="utf-8").split("```python\n")[1].split("```")[0]
        for path in (ROOT / "README.md", ROOT / "README.ko.md")
    )
    assert [line.partition("#")[0] for line in korean.splitlines()] == [
        line.partition("#")[0] for line in english.splitlines()
    ]
    (tmp_path / "stylemix_demo").mkdir()
    sm.save_image(tmp_path / "stylemix_demo" / "style.png", style_picture()[0])
    run = subprocess.run([sys.executable, "-c", english], cwd=tmp_path, capture_output=True, encoding="utf-8")
    assert run.returncode == 0, run.stderr
    assert len(sm.parse_masks(run.stdout.strip(), 14)) == 1
    assert {path.name for path in tmp_path.glob("*.png")} == {"first.png", "layers.png"}


def test_a_package_index_shows_readmes_pictures_and_links():
    text = README
    for rule in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        text = re.sub(rule["pattern"], rule["replacement"], text)
    assert [address for address in ADDRESS.findall(text) if not address.startswith(("https://", "#"))] == []
    assert pictures_of(text) == [RAW + file for file in pictures_of(README)] != []


def pictures_of(text: str) -> list[str]:
    return re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)


@pytest.mark.parametrize(("key", "proportions"), [("Icon", (1, 1)), ("Banner", (21, 9))])
def test_icon_and_banner_are_small_and_of_the_registrys_proportions(key, proportions):
    path = ROOT / PROJECT["tool"]["comfy"][key].removeprefix(RAW)
    with Image.open(path) as picture:
        width, height = picture.size
    assert width * proportions[1] == height * proportions[0]
    assert path.stat().st_size < 128 * 1024
