"""Tells a video by its name or by its first bytes; opens no file."""

import mimetypes
from pathlib import PurePath

VIDEO_SUFFIXES = frozenset(  # each is read with PyAV in a test where FFmpeg can write it
    ".264 .265 .3g2 .3gp .asf .avc .avi .dav .divx .dv .evo .f4v .flv .h264 .h265 .hevc .ivf .m1v .m2p .m2t .m2ts .m2v "
    ".m4v .mjpeg .mjpg .mk3d .mkv .mov .mp4 .mp4v .mpe .mpeg .mpg .mpg4 .mpv .mts .mxf .nut .ogm .ogv .qt .rm .rmvb "
    ".tod .tp .trp .ts .vob .vro .webm .wmv .wtv .xvid .y4m".split()
)
SHARED_SUFFIXES = frozenset(".dat .mod .ps".split())  # also of other files: read only if the content is a video
JPEG_START = b"\xff\xd8\xff"
HEAD_BYTES = 1024  # what name_container needs to see
_CLOSED_SUFFIXES = frozenset(  # FFmpeg can't read them: of Blue Iris, Genetec, UniFi Protect, Samsung and others
    ".braw .bvr .g64 .g64x .h64 .ifv .r3d .sec .ubv".split()
)
_SIDECAR_SUFFIXES = frozenset(  # of files that recorders and photo libraries keep beside ``video.mp4``
    ".aae .csv .gpx .info .json .log .md5 .meta .nfo .sfv .sha1 .sha256 .srt .thm .thumb .txt .vtt .xml .xmp .yaml "
    ".yml".split()
)
_OTHER_SUFFIXES = frozenset(".heic .idx .mka .mks .oga .ogg .sub .weba .wma".split())
_NAMES = mimetypes.MimeTypes(filenames=())  # of Python only, so that every machine gives the same answer
_SIGNATURES = (
    (b"\x1aE\xdf\xa3", "Matroska or WebM"),
    (b"0&\xb2u\x8ef\xcf\x11", "ASF or WMV"),
    (b"FLV\x01", "FLV"),
    (b"\x00\x00\x01\xba", "MPEG program stream"),
    (b"\x00\x00\x01\xb3", "MPEG video"),
    (b"\x00\x00\x01\xb0", "MPEG-4 video"),
    (b"\x06\x0e+4\x02\x05\x01\x01\x0d\x01\x02", "MXF"),
    (b"DHAV", "Dahua DAV"),
    (b"IMKH", "Hikvision program stream"),
    (b"DKIF", "IVF"),
    (b".RMF", "RealMedia"),
    (b"YUV4MPEG2 ", "YUV4MPEG2"),
    (b"nut/multimedia", "NUT"),
)
_BOXES = frozenset([b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"wide", b"skip", b"free"])
_STILL_BRANDS = (b"hei", b"hev", b"mif", b"msf", b"avif", b"avis", b"M4A", b"M4B", b"crx", b"jp2", b"jxl")
_TS_PACKETS = ((0, 188), (4, 192), (0, 204))  # place of the first sync byte, size of a packet


def has_video_name(name: str) -> bool:
    """Returns whether the extension is one of a video format, whether it can be read or not."""
    suffix = PurePath(name).suffix.lower()
    if suffix in VIDEO_SUFFIXES or suffix in _CLOSED_SUFFIXES:
        return True
    return (_NAMES.guess_type(f"x{suffix}")[0] or "").startswith("video/")


def has_other_name(name: str) -> bool:
    """Returns whether the extension is one of pictures, sound or subtitles, whose content may look like a video."""
    suffix = PurePath(name).suffix.lower()
    kind = _NAMES.guess_type(f"x{suffix}")[0] or ""
    return suffix in _OTHER_SUFFIXES or kind.startswith(("image/", "audio/"))


def is_sidecar(name: str) -> bool:
    """Returns whether a name is of what is kept beside a video: its thumbnail, texts or checksum."""
    return PurePath(name).suffix.lower() in _SIDECAR_SUFFIXES or has_other_name(name)


def name_container(head: bytes) -> str:
    """Names the container or raw stream that begins with these bytes; empty if they are not of a video."""
    found = next((name for start, name in _SIGNATURES if head.startswith(start)), "")
    if found:
        return found
    if head[4:8] in _BOXES and not head[8:12].startswith(_STILL_BRANDS):
        return "MP4 or QuickTime"
    if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
        return "AVI"
    if head.startswith(b"OggS") and b"theora" in head[:64]:
        return "Ogg"
    if any(_has_sync_bytes(head, first, size) for first, size in _TS_PACKETS):
        return "MPEG transport stream"
    return _name_raw_stream(head)


def _has_sync_bytes(head: bytes, first: int, size: int) -> bool:
    found = head[first::size]
    return len(found) >= 3 and set(found) == {0x47}


def _name_raw_stream(head: bytes) -> str:
    """Names a raw H.264 or H.265 stream by its first unit: parameters, a delimiter or H.264's extra information."""
    unit = head[4:6] if head.startswith(b"\x00\x00\x00\x01") else head[3:5] if head.startswith(b"\x00\x00\x01") else b""
    if len(unit) < 2 or unit[0] & 0x80:
        return ""
    if unit[1] == 1 and unit[0] >> 1 in (32, 33, 35, 39):
        return "raw H.265"
    return "raw H.264" if unit[0] & 0x1F in (6, 7, 9) else ""
