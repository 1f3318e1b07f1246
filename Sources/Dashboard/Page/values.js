// Live values by device. However many tags there are, at most 200 rows stand on the page.
import { age, count, make, qualityWord, setText, severity, split, value } from './format.js';
import { chosen } from './trend.js';

const at = id => document.getElementById(id);
const rowsLimit = 200;
const unread = { value: null, quality: 'BadWaitingForInitialData', lastValue: null, lastTime: null };
const openLimit = 60;       // with more tags than this, devices begin closed
const rows = new Map();     // id → the elements of its row
const headers = [];         // the count at each device's name, with its tags
const shapes = { 1: '■', 2: '▲', 3: '●', 4: '○' };
const toggled = new Map();  // device → whether somebody opened or closed it
let plant, now, choose;
let urgent = new Map();     // path → its most urgent active alarm
let wanted = '';

export function start(thePlant, theNow, theChoose) {
  [plant, now, choose] = [thePlant, theNow, theChoose];
  let timer = 0;
  at('filter').addEventListener('input', event => {
    clearTimeout(timer);
    timer = setTimeout(() => { wanted = event.target.value.trim().toLowerCase(); rebuild(); }, 120);
  });
}

export function rebuild() {
  rows.clear();
  headers.length = 0;
  const groups = new Map();
  for (const tag of plant.tags.values()) {
    if (wanted && !tag.path.toLowerCase().includes(wanted)) continue;
    if (!groups.has(tag.device)) groups.set(tag.device, []);
    groups.get(tag.device).push(tag);
  }
  const matches = [...groups.values()].reduce((sum, tags) => sum + tags.length, 0);
  let room = rowsLimit;
  let isFirst = true;
  let hidden = 0;
  const content = [];
  for (const [device, tags] of groups) {
    if (--room < 0) { hidden++; continue; }
    const isOpen = toggled.get(device) ?? (isFirst || matches <= (wanted ? rowsLimit : openLimit));
    isFirst = false;
    const shown = isOpen ? tags.slice(0, room) : [];
    room -= shown.length;
    content.push(header(device, tags, isOpen), make('div', {}, ...shown.map(row)));
    const rest = tags.length - shown.length;
    if (rest && isOpen) content.push(make('p', { class: 'quiet' }, `${rest} more: use the filter`));
  }
  if (hidden) content.push(make('p', { class: 'quiet' }, `${hidden} more devices: use the filter`));
  at('groups').replaceChildren(...content);
  const missing = plant.total - plant.tags.size;
  const text = !plant.tags.size ? 'No tags are configured.' : !matches ? 'No value matches.'
    : missing ? `${count(missing)} further tags are only at /api/v1/tags?match=…` : '';
  at('values-note').hidden = !text;
  setText(at('values-note'), text);
  for (const id of rows.keys()) update([plant.values.get(id) ?? { ...unread, id }]);
  badge();
  mark();
  tick();
}

function header(device, tags, isOpen) {
  const [where, which] = split(device);
  const total = make('span');
  const button = make('button', { type: 'button', class: 'group', 'aria-expanded': String(isOpen) },
    make('span', { class: 'arrow', 'aria-hidden': 'true' }, isOpen ? '▾' : '▸'),
    make('span', { class: 'name' }, make('span', { class: 'path' }, where), which), total);
  headers.push({ tags, total });
  button.addEventListener('click', () => {
    toggled.set(device, !isOpen);
    rebuild();
    [...at('groups').querySelectorAll('.group')].find(other => other.dataset.device === device)?.focus();
  });
  button.dataset.device = device;
  return button;
}

function row(tag) {
  const tick = make('b');
  const bar = make('span', { class: tag.range ? 'bar' : 'bar none', 'aria-hidden': 'true' }, make('i'), tick);
  if (tag.range) bar.title = `normal ${value(tag.range[0], tag)} to ${value(tag.range[1], tag)} ${tag.unit}`;
  const reading = make('span', { class: 'reading' });
  const alarm = make('span');
  const button = make('button', { type: 'button', class: 'value', 'aria-pressed': 'false' },
    make('span', {}, alarm, tag.name), bar, reading);
  button.addEventListener('click', () => choose(tag.path));
  rows.set(tag.id, { tag, button, bar, tick, reading, alarm, said: '' });
  return button;
}

export function update(entries) {
  for (const entry of entries) {
    const row = rows.get(entry.id);
    if (row) show(row, entry);
  }
}

function show(row, entry) {
  const level = severity(entry.quality);
  const { tag, reading } = row;
  const unit = tag.unit ? [' ', make('span', { class: 'unit' }, tag.unit)] : [];
  const isBad = level === 2;
  const text = value(isBad ? entry.lastValue : entry.value, tag);
  const since = isBad && entry.lastTime ? ` ${age(now() - entry.lastTime)}` : '';
  const why = level ? qualityWord(entry.quality) + since : '';
  const said = `${level} ${text} ${why}`;
  if (row.said === said) return;
  row.said = said;
  row.button.className = level === 2 ? 'value bad' : level ? 'value uncertain' : 'value';
  if (isBad && entry.lastValue === null) reading.replaceChildren(why);
  else if (isBad) reading.replaceChildren(make('s', {}, text, ...unit), ` ${why}`);
  else reading.replaceChildren(...(level ? [make('span', { class: 'why' }, `${why} `)] : []), text, ...unit);
  if (!tag.range || isBad) return;
  // The normal band is the middle half of the bar.
  const [low, high] = tag.range;
  const part = (Number(entry.value) - low) / (high - low || 1);
  row.tick.style.left = `${Math.min(100, Math.max(0, 25 + part * 50))}%`;
  row.bar.className = part < 0 || part > 1 ? 'bar outside' : 'bar';
}

/** Tells which tags have an active alarm. */
export function alarms(all) {
  urgent = new Map();
  for (const { state, device, tag, priority } of all) {
    const path = `${device}/${tag}`;
    if (state === 'active' && priority < (urgent.get(path) ?? 5)) urgent.set(path, priority);
  }
  badge();
}

function badge() {
  for (const { tag, alarm } of rows.values()) {
    const priority = urgent.get(tag.path);
    setText(alarm, priority ? `${shapes[priority]}${priority} ` : '');
    alarm.className = priority ? `alarm p${priority}` : '';
  }
}

/** The ages of bad values grow by themselves, and a closed device still says how many of its values are bad. */
export function tick() {
  for (const { tags, total } of headers) {
    const bad = tags.filter(tag => severity((plant.values.get(tag.id) ?? unread).quality) === 2).length;
    total.className = bad ? 'trouble' : 'count';
    setText(total, bad ? `▲ ${bad} of ${tags.length} bad` : `${tags.length}`);
  }
  for (const [id, row] of rows) {
    const entry = plant.values.get(id);
    if (entry && severity(entry.quality) === 2) show(row, entry);
  }
}

export function mark() {
  for (const [id, { button }] of rows) button.setAttribute('aria-pressed', String(chosen()?.id === id));
}
