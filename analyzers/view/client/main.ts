import { elements, readData } from '../../report/client/data.ts';
import { ChartPage, drawChapters } from '../../report/client/page.ts';
import { startPage } from '../../report/client/start-page.ts';
import { Explorer } from './explorer.ts';

const page = new ChartPage();
drawChapters(page, readData());
const [root] = elements('#explorer', HTMLElement);
const drawn = root === undefined ? Promise.resolve() : new Explorer(root, page).start();
void drawn.then(() => startPage(page));
