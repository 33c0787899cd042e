import { readData } from './data.ts';
import { ChartPage, drawChapters } from './page.ts';
import { startPage } from './start-page.ts';

const page = new ChartPage();
drawChapters(page, readData());
startPage(page);
