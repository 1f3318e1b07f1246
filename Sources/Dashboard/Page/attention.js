// What needs somebody: active alarms by urgency, then devices and sinks in trouble.
import { age, clock, count, make, setText } from './format.js';

const at = id => document.getElementById(id);
const namespace = 'http://www.w3.org/2000/svg';
const shapes = {
  1: ['rect', { x: 3, y: 2, width: 24, height: 24, rx: 2 }, 19],
  2: ['path', { d: 'M15 1 L29 27 H1 Z' }, 23],
  3: ['circle', { cx: 15, cy: 14, r: 13 }, 19],
  4: ['rect', { x: 3, y: 2, width: 24, height: 24, rx: 12 }, 19],
};
const names = { 1: 'critical', 2: 'high', 3: 'medium', 4: 'low' };
let limit = 8;
let shown = '';
let announced = null;

/** Shape, number and colour together, so that none of them must be seen alone. */
function mark(priority, text, active = true) {
  const [shape, geometry, baseline] = shapes[priority];
  const svg = document.createElementNS(namespace, 'svg');
  const attributes = { viewBox: '0 0 30 28', class: `mark ${active ? `p${priority}` : 'off'}`, role: 'img',
    'aria-label': active ? text === '!' ? 'trouble' : `priority ${priority}, ${names[priority]}` : 'cleared' };
  for (const [key, value] of Object.entries(attributes)) svg.setAttribute(key, value);
  const outline = document.createElementNS(namespace, shape);
  for (const [key, value] of Object.entries(geometry)) outline.setAttribute(key, value);
  const label = document.createElementNS(namespace, 'text');
  label.setAttribute('x', 15);
  label.setAttribute('y', baseline);
  label.append(text);
  svg.append(outline, label);
  return svg;
}

/** One row; `since` is the moment from which its age is told, `says` what stands before the age. */
function row({ mark, title, says, since, after = '', path, strong }, choose) {
  const time = make('span', since ? { 'data-since': since } : {});
  const text = make('div', {}, make('p', strong ? { class: 'urgent' } : {}, title),
    make('p', { class: 'quiet' }, says, time, after));
  const item = make('li', {}, mark, text);
  if (path && choose) {
    const button = make('button', { type: 'button', 'aria-label': `Trend of ${path}` }, 'Trend');
    button.addEventListener('click', () => { choose(path); at('trend').scrollIntoView({ block: 'nearest' }); });
    item.append(button);
  }
  return item;
}

export function update(plant, now, choose) {
  const active = plant.alarms.filter(alarm => alarm.state === 'active');
  const dead = [...plant.devices.values()].filter(device => device.trouble);
  const sinks = plant.sinks.filter(sink => !sink.connected || sink.set_aside || sink.last_error);
  const key = JSON.stringify([plant.alarms, limit, dead.map(d => [d.path, d.trouble, d.last_good]),
    sinks.map(s => [s.name, s.connected, s.set_aside, s.last_error, s.oldest_unacknowledged])]);
  if (key === shown) return;
  shown = key;
  const rows = [
    ...active.map(alarm => {
      const path = `${alarm.device}/${alarm.tag}`;
      const action = alarm.action ? `${alarm.action} · ` : '';
      return {
        mark: mark(alarm.priority, String(alarm.priority)), title: alarm.message, strong: alarm.priority < 3,
        says: `${action}${names[alarm.priority]} · since ${clock(alarm.since, now)}, `, since: alarm.since,
        path: plant.byPath.has(path) ? path : null,
      };
    }),
    ...dead.map(device => ({
      mark: mark(2, '!'), title: `${device.path}: ${device.trouble}`, strong: true,
      says: `${device.link} · ${device.last_good ? 'last good ' : 'never answered'}`,
      since: device.last_good, after: device.last_good ? ' ago' : '',
    })),
    ...sinks.map(sink => ({
      mark: mark(3, '!'),
      title: `Upstream ${sink.name}: `
        + (sink.connected ? sink.last_error ?? `${sink.set_aside} records refused` : 'not connected'),
      says: `${!sink.connected && sink.last_error ? `${sink.last_error} · ` : ''}${count(sink.backlog)} records wait`
        + (sink.oldest_unacknowledged ? ', the oldest for ' : ''), since: sink.oldest_unacknowledged,
    })),
  ];
  at('attention-list').replaceChildren(...rows.slice(0, limit).map(each => row(each, choose)));
  if (rows.length > limit) {
    const button = make('button', { type: 'button' }, `Show ${rows.length - limit} more`);
    button.addEventListener('click', () => { limit = Math.min(200, rows.length); update(plant, now, choose); });
    at('attention-list').append(make('li', {}, button));
  }
  const text = rows.length ? '' : 'Nothing needs attention.';
  setText(at('news'), text);
  announce(rows.map(each => each.title));

  const cleared = plant.alarms.filter(alarm => alarm.state === 'cleared').slice(0, 50);
  at('cleared').hidden = !cleared.length;
  setText(at('cleared').firstElementChild, `Recently cleared (${cleared.length})`);
  at('cleared-list').replaceChildren(...cleared.map(alarm => row({
    mark: mark(alarm.priority, String(alarm.priority), false), title: alarm.message,
    says: `${names[alarm.priority]} · ${clock(alarm.since, now)} to ${clock(alarm.timestamp, now)}`,
  })));
  tick(now);
}

/** Screen readers are told what is new, not the whole list every second. */
function announce(titles) {
  const fresh = announced ? titles.filter(title => !announced.has(title)) : [];
  announced = new Set(titles);
  if (fresh.length) {
    const spoken = make('span', { class: 'spoken' }, `New: ${fresh.slice(0, 3).join('; ')}`);
    at('news').append(spoken);
  }
}

export function tick(now) {
  for (const element of at('attention-list').querySelectorAll('[data-since]')) {
    setText(element, age(now - Number(element.dataset.since)));
  }
}
