// What every page of the console has. Each module adds to pages that already read well without it.
import './csrf.js';
import './menus.js';
import './copying.js';
import './confirming.js';
import './live.js';
import './selecting.js';
import './loading.js';
import './refusals.js';
import './charts.js';
