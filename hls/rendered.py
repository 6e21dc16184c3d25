"""Playlists that have been rendered: once per version of a rendition and kind, for everybody."""

from __future__ import annotations

from weakref import WeakKeyDictionary

from . import answer
from .config import HlsConfig
from .directive import Directives
from .playlist import render_media, render_multivariant
from .playlist_body import PlaylistBody
from .port import Broadcast
from .start import Start
from .view import MultivariantView, RenditionView


class RenderedPlaylists:
    """Renders playlists, or hands out what has been rendered.

    Args:
        config: the constants of every playlist.
    """

    def __init__(self, config: HlsConfig) -> None:
        self._config = config
        self._multivariants: WeakKeyDictionary[Broadcast, tuple[MultivariantView, PlaylistBody]]
        self._multivariants = WeakKeyDictionary()
        self._bodies: WeakKeyDictionary[Broadcast, dict[tuple[str, bool], tuple[int, PlaylistBody]]]
        self._bodies = WeakKeyDictionary()

    def multivariant(self, broadcast: Broadcast, view: MultivariantView, start: Start | None) -> PlaylistBody:
        """Return the multivariant playlist."""
        if start is not None:
            return render_multivariant(view, start)
        known = self._multivariants.get(broadcast)
        if known is None or known[0] != view:
            known = self._multivariants[broadcast] = (view, render_multivariant(view))
        return known[1]

    def media(
        self, broadcast: Broadcast, view: RenditionView, skip: bool, start: Start | None = None
    ) -> PlaylistBody:
        """Return a media playlist."""
        if start is not None:
            return render_media(view, self._config, skip=skip, start=start)
        bodies = self._bodies.setdefault(broadcast, {})
        known = bodies.get((view.name, skip))
        if known is not None and known[0] == view.version:
            return known[1]
        body = render_media(view, self._config, skip=skip)
        bodies[view.name, skip] = (view.version, body)
        return body


def cache_control(directives: Directives, view: RenditionView, config: HlsConfig) -> str:
    """Let blocking answers live long, but not one that came before the segment it names was whole."""
    if directives.msn is None:
        return answer.SHORT
    last_whole = max((segment.msn for segment in view.segments if segment.is_complete), default=-1)
    if directives.part is None and last_whole < directives.msn:
        return answer.SHORT
    return f"public, max-age={6 * config.target_duration_s}"
