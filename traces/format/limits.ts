/** Bounds of the format, checked before anything is allocated. A writer never exceeds them. */

/** Payload of a frame. */
export const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** One text of the string table. */
export const MAX_STRING_BYTES = 64 * 1024;
/** Texts of a trace, and all their characters together. */
export const MAX_STRINGS = 1 << 20;
export const MAX_STRINGS_LENGTH = 64 * 1024 * 1024;
/** Frames in a file. 2^22 segments of 2^16 events are 2.7e11 events. */
export const MAX_FRAMES = 1 << 22;
/** Elements of any MessagePack array or map in a frame. */
export const MAX_ELEMENTS = 1 << 22;
/** Items of a frame's MessagePack, nested ones included. The footer has some 22 for each segment. */
export const MAX_ITEMS = 1 << 25;
/** Those of them that are texts, arrays, maps or byte strings; byte strings alone (a segment has one per column). */
export const MAX_OBJECTS = 1 << 22;
export const MAX_BINARIES = 1 << 16;
/** Nesting of arrays and maps. */
export const MAX_DEPTH = 64;
/** Segments that a footer lists: 17e9 events in full segments. */
export const MAX_INDEXED = 1 << 18;
