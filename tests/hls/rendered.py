"""Playlists as text."""

from hls import playlist
from hls.config import HlsConfig
from hls.view import MultivariantView, RenditionView


def render_media(view: RenditionView, config: HlsConfig, *, skip: bool = False) -> str:
    return playlist.render_media(view, config, skip=skip).plain.decode()


def render_multivariant(view: MultivariantView) -> str:
    return playlist.render_multivariant(view).plain.decode()
