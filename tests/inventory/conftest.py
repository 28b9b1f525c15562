"""The command line in this process (fast), a small pretend city, and writers of odd files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.orm import Session

from farola.cli import main
from farola.settings import load_settings
from inventory.db import open_inventory


@dataclass(frozen=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


@pytest.fixture
def cli(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """`cli("import", "sites", path, code=1)` runs the command and asserts its exit code."""

    def call(*args: object, code: int = 0, stdin: str = "") -> Done:
        out, err = io.StringIO(), io.StringIO()
        monkeypatch.setattr("sys.argv", ["farola", *map(str, args)])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as stop:
            main()
        done = Done(int(stop.value.code or 0), out.getvalue(), err.getvalue())
        assert done.code == code, f"{args}: {done}"
        if code:
            assert done.err.strip().splitlines()[-1].startswith("farola: "), done.err
        return done

    return call


def square(lon: float, lat: float, size: float = 0.01) -> list[list[list[float]]]:
    """A ring around (lon, lat), `size` degrees wide."""
    h = size / 2
    corners = [(-h, -h), (h, -h), (h, h), (-h, h), (-h, -h)]
    return [[[lon + x, lat + y] for x, y in corners]]


def feature(geometry: dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


@dataclass(frozen=True)
class Files:
    """Writes files of all kinds into a folder."""

    folder: Path

    def text(self, name: str, text: str, encoding: str = "utf-8") -> Path:
        path = self.folder / name
        path.write_bytes(text.encode(encoding))
        return path

    def bytes(self, name: str, data: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(data)
        return path

    def geojson(self, name: str, *features: dict[str, Any], **members: Any) -> Path:
        data = {"type": "FeatureCollection", "features": list(features), **members}
        return self.text(name, json.dumps(data, ensure_ascii=False))

    def squares(self, name: str, *centres: tuple[float, float], **members: Any) -> Path:
        """Neighbourhoods n1, n2 … of 100 people each around (lon, lat)."""
        features = [
            feature(
                {"type": "Polygon", "coordinates": square(lon, lat)},
                key=f"n{i}", people=100 * i, borough="Ñandú Alto" if i == 1 else "La Boca",
            )
            for i, (lon, lat) in enumerate(centres, start=1)
        ]  # fmt: skip
        return self.geojson(name, *features, **members)

    def xlsx(self, name: str, *rows: Sequence[Any], formats: dict[str, str] | None = None) -> Path:
        import openpyxl

        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(list(row))
        for cell, number_format in (formats or {}).items():
            book.active[cell].number_format = number_format
        path = self.folder / name
        book.save(path)
        return path

    def layer(
        self, name: str, geometries: Sequence[Any], fields: dict[str, Sequence[Any]], **options: Any
    ) -> Path:
        import numpy as np
        import pyogrio
        import shapely

        path = self.folder / name
        kinds = {shapely.get_type_id(g) for g in geometries if g is not None} or {3}
        kind = {0: "Point", 1: "LineString", 3: "Polygon", 6: "MultiPolygon"}[max(kinds)]
        if options.pop("unknown", False):
            kind = "Unknown"
        columns = [
            np.array(values, dtype=object if isinstance(values[0], str) else None)
            for values in fields.values()
        ]
        pyogrio.raw.write(
            path, shapely.to_wkb(np.array(geometries, dtype=object)), columns, list(fields),
            geometry_type=kind, **options,
        )  # fmt: skip
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    folder = tmp_path / "files"
    folder.mkdir()
    return Files(folder)


@pytest.fixture
def city(cli: Callable[..., Done], files: Files) -> Callable[..., Done]:
    """`cli` on a city of two neighbourhoods at 34.60° S, 58.40° W."""
    cli("init", "--name", "Test", "--timezone", "America/Argentina/Buenos_Aires")
    path = files.squares("city.geojson", (-58.40, -34.60), (-58.39, -34.60))
    cli("import", "neighbourhoods", path, "--id", "key", "--population", "people",
        "--borough", "borough")  # fmt: skip
    return cli


@pytest.fixture
def db(home: Path) -> Callable[[], Any]:
    """`with db() as session:` on the home's inventory."""

    @contextmanager
    def session() -> Iterator[Session]:
        inventory = open_inventory(load_settings(home))
        with inventory.session() as opened:
            yield opened
        inventory.close()

    return session
