import { expect, test } from 'vitest';
import { MapLists } from './map-lists.ts';

const TASK = 7;
const OTHER = 8;

test('the contiguous maps that one call of the DMA API covers are one list', () => {
  const lists = new MapLists();
  lists.map(TASK, 0, 0x100, 2);
  lists.map(OTHER, 1, 0x300, 1);
  lists.map(TASK, 2, 0x102, 1);
  lists.map(TASK, 3, 0x103, 4);
  expect(lists.returned(TASK, 0x100, 7)).toEqual([0, 2, 3]);
  expect(lists.returned(TASK, 0x100, 7)).toEqual([]);
  expect(lists.returned(OTHER, 0x300, 1)).toEqual([]);
});

test('maps next to each other that were calls of their own are no list', () => {
  const lists = new MapLists();
  lists.map(TASK, 0, 0x100, 1);
  expect(lists.returned(TASK, 0x100, 1)).toEqual([]);
  lists.map(TASK, 1, 0x101, 1);
  expect(lists.returned(TASK, 0x101, 1)).toEqual([]);
});

test('a call whose range is not that of the maps says nothing about them', () => {
  const lists = new MapLists();
  lists.map(TASK, 0, 0x100, 1);
  lists.map(TASK, 1, 0x101, 1);
  expect(lists.returned(TASK, 0x100, 3)).toEqual([]);
  lists.map(TASK, 2, 0x100, 1);
  lists.other(TASK);
  lists.map(TASK, 3, 0x101, 1);
  expect(lists.returned(TASK, 0x100, 2)).toEqual([]);
});

test('a mapping before a list may touch it', () => {
  const lists = new MapLists();
  lists.map(TASK, 0, 0x100, 1);
  lists.map(TASK, 1, 0x101, 2);
  lists.map(TASK, 2, 0x103, 2);
  expect(lists.returned(TASK, 0x101, 4)).toEqual([1, 2]);
});
