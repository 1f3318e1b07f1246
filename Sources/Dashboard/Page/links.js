// Devices and sinks: who answers, since when, and how often it went wrong.
import { age, count, make, setText, split } from './format.js';

const at = id => document.getElementById(id);
const rows = new Map();
let showsAll = false;
let order = '';
const few = 12;

function named(path) {
  const [where, which] = split(path);
  return [make('span', { class: 'path' }, where), which];
}

export function update(plant, now) {
  const devices = [...plant.devices.values()];
  // Trouble first; otherwise the order of the configuration, so that everything keeps its place.
  const sorted = [...devices.filter(device => device.trouble), ...devices.filter(device => !device.trouble)];
  const shown = sorted.slice(0, showsAll ? 200 : Math.max(few, devices.filter(device => device.trouble).length));
  const key = shown.map(device => device.path).join('\n');
  if (key !== order) {
    order = key;
    rows.clear();
    at('device-rows').replaceChildren(...shown.map(device => {
      const cells = {
        name: make('th', { scope: 'row' }), link: make('td', { class: 'wide' }), last: make('td', { class: 'last' }),
        errors: make('td', { class: 'number' }),
      };
      rows.set(device.path, cells);
      return make('tr', {}, ...Object.values(cells));
    }));
  }
  const perHour = devices.some(device => device.errors_last_hour !== null);
  setText(at('errors-title'), perHour ? 'Errors/h' : 'Errors');
  for (const device of shown) {
    const cells = rows.get(device.path);
    cells.device = device;
    cells.name.replaceChildren(...(device.trouble ? ['▲ '] : []), ...named(device.path));
    cells.name.className = device.trouble ? 'trouble' : '';
    setText(cells.link, device.link);
    setText(cells.errors, count(perHour ? device.errors_last_hour ?? 0 : device.errors));
  }
  more(plant, devices.length - shown.length);

  at('sinks').hidden = !plant.sinks.length;
  at('sink-rows').replaceChildren(...plant.sinks.map(sink => make('tr', {},
    make('th', { scope: 'row', class: sink.connected ? '' : 'trouble' }, sink.connected ? sink.name : `▲ ${sink.name}`),
    make('td', { class: 'wide' }, sink.url),
    make('td', sink.connected ? {} : { class: 'trouble' }, sink.connected ? `connected${drains(sink)}` : 'not connected'),
    make('td', { class: 'number' }, count(sink.backlog)))));
  tick(now);
}

/** How long a backlog will take; nothing while there is none worth speaking of. */
function drains(sink) {
  if (sink.backlog < 10_000) return '';
  if (sink.seconds_to_drain === null) return ', falls behind';
  const minutes = Math.ceil(sink.seconds_to_drain / 60);
  return minutes > 120 ? `, catches up in ${Math.ceil(minutes / 60)} h` : `, catches up in ${minutes} min`;
}

function more(plant, hidden) {
  if (hidden <= 0 && !showsAll) return at('more-rows').replaceChildren();
  const label = showsAll ? 'Show fewer' : `Show ${hidden} more, all well`;
  if (at('more-rows').textContent === label) return;
  const button = make('button', { type: 'button' }, label);
  button.addEventListener('click', () => { showsAll = !showsAll; update(plant, Date.now()); });
  at('more-rows').replaceChildren(make('tr', {}, make('td', { colspan: 4 }, button)));
}

export function tick(now) {
  for (const { device, last } of rows.values()) {
    if (!device) continue;
    const since = device.last_good ? age(now - device.last_good) : 'never';
    setText(last, device.trouble ? `${since} – ${device.trouble}` : since);
    last.className = device.trouble ? 'trouble' : 'last';
  }
}
