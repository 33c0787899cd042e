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
