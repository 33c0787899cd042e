import type { HealthReport } from '../../traces/health.ts';
import { basisPart, chapterMarkup } from './chapter.ts';
import type { Chapter, PagePart } from './chapter.ts';
import { pageOf } from './html-page.ts';

/** What a page of one result says beside it. */
export interface ChapterPage {
  /** Name and version of the program. */
  readonly version: string;
  readonly health: HealthReport;
  /** What the figures rest on, where there is more to say of it. */
  readonly basis?: PagePart;
}

/** One result as one file that opens anywhere. */
export function chapterPage(chapter: Chapter, { version, health, basis }: ChapterPage): string {
  const parts = [...chapter.parts, basis ?? basisPart(chapter, health)];
  return pageOf({
    version,
    command: chapter.command,
    file: chapter.file,
    sections: parts.map(({ id, title }) => [id, title]),
    body: chapterMarkup(chapter, parts, { set: 0, prefix: '', trace: chapter.file, alone: true }),
    charts: chapter.charts === null ? [] : [chapter.charts],
  });
}
