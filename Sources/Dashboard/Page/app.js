// Keeps the page equal to the gateway: one stream of events, a snapshot first, then what changes.
import { clock, make, setText } from './format.js';
import * as attention from './attention.js';
import * as links from './links.js';
import * as trend from './trend.js';
import * as values from './values.js';

const at = id => document.getElementById(id);
const plant = {
  tags: new Map(), byPath: new Map(), values: new Map(), alarms: [], devices: new Map(), sinks: [], total: 0,
};
let offset = 0;          // gateway clock minus this computer's
const now = () => Date.now() + offset;
let source = null;
let heard = 0;           // when the last event came
let lost = 0;            // since when there is no connection, by this computer's clock
let retry = 0;

function entry([id, value, time, quality = '', lastValue = null, lastTime = null]) {
  return { id, value, time, quality, lastValue, lastTime };
}

function take(event, isSnapshot) {
  const message = JSON.parse(event.data);
  offset = message.now - Date.now();
  heard = Date.now();
  lost = 0;
  if (isSnapshot) begin(message);
  const changed = (message.values ?? []).map(entry);
  for (const value of changed) {
    plant.values.set(value.id, value);
    if (!isSnapshot && trend.chosen()?.id === value.id) trend.append(value);
  }
  if (message.alarms) plant.alarms = message.alarms;
  for (const device of message.devices ?? []) plant.devices.set(device.path, device);
  if (message.sinks) plant.sinks = message.sinks;
  if (message.health) health(message.health);
  if (isSnapshot) {
    values.rebuild();
    chooseTrend();
  } else {
    values.update(changed);
  }
  if (message.alarms) values.alarms(plant.alarms);
  if (message.alarms || message.devices || message.sinks) attention.update(plant, now(), choose);
  if (message.devices || message.sinks) links.update(plant, now());
  connection();
}

function begin(message) {
  setText(at('site'), message.site);
  document.title = `${message.site} · Lineside`;
  const since = clock(message.started, message.now);
  setText(at('footer'), `Lineside ${message.version}, up since ${since} · /api/v1/tags · /metrics`);
  plant.total = message.total;
  plant.tags = new Map(message.tags.map(tag => [tag.id, tag]));
  plant.byPath = new Map(message.tags.map(tag => [tag.path, tag]));
  plant.values = new Map();
  plant.devices = new Map();
}

/** Shows a tag's trend because somebody asked for it. */
function choose(path) {
  const tag = plant.byPath.get(path);
  if (!tag) return;
  history.replaceState(null, '', `#tag=${encodeURIComponent(path)}`);
  trend.choose(tag);
  values.mark();
}

/** What the address says, or what was shown before, or the tag of the worst alarm, or the first one with a range. */
function chooseTrend() {
  const asked = new URLSearchParams(location.hash.slice(1)).get('tag');
  const alarm = plant.alarms.find(alarm => alarm.state === 'active');
  const tag = plant.byPath.get(asked) ?? plant.byPath.get(trend.chosen()?.path)
    ?? plant.byPath.get(alarm && `${alarm.device}/${alarm.tag}`)
    ?? [...plant.tags.values()].find(tag => tag.range) ?? plant.tags.values().next().value;
  if (tag) trend.choose(tag);
  values.mark();
}

function health({ status, reasons }) {
  const pill = at('health');
  pill.hidden = status === 'ok';
  pill.className = status === 'stuck' ? 'pill bad' : 'pill warn';
  const rest = reasons.length > 1 ? ` and ${reasons.length - 1} more` : '';
  pill.replaceChildren(status, make('span', { class: 'wide' }, reasons.length ? `: ${reasons[0]}${rest}` : ''));
  pill.title = reasons.join('\n');
}

function connection() {
  const pill = at('live');
  pill.className = lost ? 'pill bad' : 'pill';
  setText(pill, lost ? `no connection since ${clock(lost, Date.now())}` : heard ? 'live' : 'connecting');
  document.body.classList.toggle('stale', lost > 0);
}

function open() {
  clearTimeout(retry);
  source?.close();
  heard = 0;
  source = new EventSource('/api/v1/events');
  source.addEventListener('snapshot', event => take(event, true));
  source.addEventListener('change', event => take(event, false));
  source.addEventListener('error', () => {
    lost ||= Date.now();
    connection();
    // The browser comes back by itself, unless the gateway refused.
    if (source?.readyState === EventSource.CLOSED) retry = setTimeout(open, 5000);
  });
}

function close() {
  clearTimeout(retry);
  source?.close();
  source = null;
}

values.start(plant, now, choose);
trend.start(now);
addEventListener('hashchange', chooseTrend);
// A tab that nobody sees takes nothing from the gateway.
document.addEventListener('visibilitychange', () => document.hidden ? close() : open());
if (!document.hidden) open();

setInterval(() => {
  if (document.hidden) return;
  setText(at('clock'), clock(now(), now()));
  // A dead network says nothing: without news for this long the connection is made anew.
  if (source && heard && Date.now() - heard > 40e3) { lost ||= heard; open(); }
  connection();
  attention.tick(now());
  links.tick(now());
  values.tick();
  trend.tick();
}, 1000);
