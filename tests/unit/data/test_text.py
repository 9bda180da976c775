"""Where a text comes from: a file or an address, its bytes as they are, checked by its hash."""

import http.server
import threading
from pathlib import Path

import pytest
from corpora import sha256

from conftest import one_line
from reprocore.data.text import load_text
from reprocore.errors import ReprocoreError


class TestLoadText:
    @pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
    def test_newlines_stay(self, tmp_path: Path, newline: str) -> None:
        path = tmp_path / "text"
        content = f"été{newline}x{newline}".encode()
        path.write_bytes(content)
        found = load_text("file", path=path, sha256=sha256(content).upper(), cache=tmp_path)
        assert found.encode() == content

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "No such file"),
            ("a folder", "directory"),
            (b"", "empty"),
            (b"abc\xffd", "not UTF-8 at byte 3"),
        ],
    )
    def test_bad_file(self, tmp_path: Path, content: bytes | str | None, told: str) -> None:
        path = tmp_path / "text"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content == "a folder":
            path.mkdir()
        with pytest.raises(ReprocoreError) as error:
            load_text("file", path=path, cache=tmp_path)
        assert told in one_line(error)
        assert str(path) in one_line(error)

    @pytest.mark.parametrize("source", ["file", "url"])
    def test_a_text_of_another_hash_is_refused_and_not_kept(
        self, tmp_path: Path, source: str
    ) -> None:
        path, cache = tmp_path / "there.txt", tmp_path / "cache"
        path.write_text("abc")
        place = {"path": str(path)} if source == "file" else {"url": path.as_uri()}
        with pytest.raises(ReprocoreError) as error:
            load_text(source, sha256="0" * 64, cache=cache, **place)
        for part in (*place.values(), sha256(b"abc"), "0" * 64):
            assert part in one_line(error)
        assert not cache.exists()

    @pytest.mark.parametrize(
        ("given_settings", "told"),
        [
            ({"source": "book"}, "must be tiny_shakespeare, file or url"),
            ({"source": "file"}, "needs corpus.path"),
            ({"source": "url", "url": "http://x.invalid/"}, "corpus.sha256"),
            ({"source": "url", "sha256": "0" * 64}, "needs corpus.url"),
            ({"source": "url", "url": "x", "sha256": "../../x"}, "64 hexadecimal digits"),
            ({"source": "url", "url": "ftp://x/y", "sha256": "0" * 64}, "http, https, file"),
            ({"source": "url", "url": "/etc/hosts", "sha256": "0" * 64}, "http, https, file"),
            ({"source": "url", "url": "http://[x/", "sha256": "0" * 64}, "cannot be downloaded"),
            ({"source": "url", "url": "http://127.0.0.1:1/", "sha256": "0" * 64}, "network"),
        ],
    )
    def test_bad_settings(self, tmp_path: Path, given_settings: dict[str, str], told: str) -> None:
        with pytest.raises(ReprocoreError) as error:
            load_text(cache=tmp_path, **given_settings)
        assert told in one_line(error)

    def test_a_url_is_downloaded_once(self, tmp_path: Path) -> None:
        content = "Once, été\r\n".encode()
        path = tmp_path / "there.txt"
        path.write_bytes(content)
        cache, digest = tmp_path / "cache", sha256(content)

        def load() -> str:
            return load_text("url", url=path.as_uri(), sha256=digest, cache=cache)

        assert load().encode() == content
        path.unlink()
        assert load().encode() == content
        (cached,) = cache.iterdir()
        cached.write_bytes(b"damaged")
        with pytest.raises(ReprocoreError):
            load()
        path.write_bytes(content)
        assert load().encode() == content
        assert cached.read_bytes() == content

    def test_over_http(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("over http")

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *arguments: object) -> None:
                super().__init__(*arguments, directory=str(tmp_path))  # type: ignore[arg-type]

            def log_message(self, *_: object) -> None:
                pass

        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            base = f"http://127.0.0.1:{server.server_port}"
            digest, cache = sha256(b"over http"), tmp_path / "cache"
            with pytest.raises(ReprocoreError) as error:
                load_text("url", url=f"{base}/absent", sha256=digest, cache=cache)
            assert "404" in one_line(error)
            found = load_text("url", url=f"{base}/text", sha256=digest, cache=cache)
            server.shutdown()
        assert found == "over http"
