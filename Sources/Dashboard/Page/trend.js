// The trend of one tag on a canvas: steps, because a value holds until the next one, and gaps where it was bad.
import { clock, make, setText, severity, value } from './format.js';

const spans = [['10 min', 600e3], ['1 h', 3600e3], ['8 h', 28800e3], ['24 h', 86400e3]];
const canvas = document.getElementById('chart');
const note = document.getElementById('chart-note');
const title = document.getElementById('trend-tag');

let tag = null;
let points = [];      // {t, min, max, last, bad}, in order of time
let span = spans[0][1];
let fetched = 0;
let request = 0;
let cursor = null;    // a moment that the reader points at
let gatewayNow = () => Date.now();

export function start(now) {
  gatewayNow = now;
  const group = document.getElementById('spans');
  for (const [name, length] of spans) {
    const button = make('button', { type: 'button', 'aria-pressed': String(length === span) }, name);
    button.addEventListener('click', () => {
      span = length;
      for (const other of group.children) other.setAttribute('aria-pressed', String(other === button));
      load();
    });
    group.append(button);
  }
  canvas.addEventListener('pointermove', event => {
    const box = plot();
    cursor = box.from + (event.offsetX - box.left) / box.width * span;
    draw();
  });
  canvas.addEventListener('pointerleave', () => { cursor = null; draw(); });
  canvas.addEventListener('keydown', event => {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === 'Escape') cursor = null;
    else if (step) {
      const { from, to } = plot();
      cursor = Math.min(to, Math.max(from, (cursor ?? to) + step * span / 60));
    } else return;
    event.preventDefault();
    draw();
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
}

export const chosen = () => tag;

export function choose(newTag) {
  tag = newTag;
  load();
}

/** A live value of the chosen tag. */
export function append(entry) {
  const bad = severity(entry.quality) === 2;
  const number = bad || typeof entry.value === 'string' ? null : Number(entry.value);
  if (points.length && entry.time < points.at(-1).t) return;
  points.push({ t: entry.time, min: number, max: number, last: number, bad });
}

export async function load() {
  if (!tag) return;
  const mine = ++request;
  setText(title, `${tag.path.split('/').slice(-2).join(' · ')}${tag.unit ? `, ${tag.unit}` : ''}`);
  fetched = Date.now();
  try {
    const pixels = Math.max(100, Math.min(2000, Math.round(canvas.clientWidth)));
    const to = Math.round(gatewayNow());
    const address = `/api/v1/series?tag=${encodeURIComponent(tag.path)}&from=${to - span}&to=${to}&px=${pixels}`;
    const answer = await fetch(address);
    const series = await answer.json();
    if (mine !== request) return;
    if (!answer.ok) throw new Error(series.error);
    const newer = points.filter(point => point.t > to);
    points = series.t.map((t, i) => (
      { t, min: series.min[i], max: series.max[i], last: series.last[i], bad: series.min[i] === null }));
    if (series.before) {
      const { t, last, q } = series.before;
      const number = typeof last === 'number' ? last : null;
      points.unshift({ t, min: number, max: number, last: number, bad: q === 2 });
    }
    points.push(...newer);
    draw();
  } catch (error) {
    if (mine === request) { points = []; draw(); setText(note, `No trend: ${error.message}`); }
  }
}

/** Called once a second: the window moves on, and now and then the points are thinned out again. */
export function tick() {
  if (!tag) return;
  if (Date.now() - fetched > Math.max(60e3, span / 100)) load(); else draw();
}

function plot() {
  const to = gatewayNow();
  return { left: 54, top: 8, width: canvas.clientWidth - 62, height: canvas.clientHeight - 34, from: to - span, to };
}

/** A round step so that about `count` of them fill the distance. */
function step(distance, count) {
  const power = 10 ** Math.floor(Math.log10(distance / count));
  return [1, 2, 5, 10].map(factor => factor * power).find(width => distance / width <= count) ?? 10 * power;
}

function draw() {
  const context = canvas.getContext('2d');
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (!tag) return;
  const style = getComputedStyle(canvas);
  const colour = name => style.getPropertyValue(`--${name}`);
  const box = plot();
  while (points.length > 1 && points[1].t < box.from) points.shift();
  const seen = points.filter(point => point.min !== null);
  let low = Math.min(...seen.map(point => point.min));
  let high = Math.max(...seen.map(point => point.max));
  if (!seen.length) [low, high] = tag.range ?? [0, 1];
  // The band is shown when the values come near it; a far limit must not flatten the curve.
  const band = tag.range;
  if (band && seen.length) {
    const reach = Math.max(high - low, (band[1] - band[0]) * 0.25);
    if (low - band[0] < reach) low = Math.min(low, band[0]);
    if (band[1] - high < reach) high = Math.max(high, band[1]);
  }
  const pad = (high - low || Math.abs(high) || 1) * 0.08;
  [low, high] = [low - pad, high + pad];
  const x = t => box.left + (t - box.from) / span * box.width;
  const y = v => box.top + (high - v) / (high - low) * box.height;
  const crisp = v => Math.round(v) + 0.5;

  context.font = '12px system-ui, "DejaVu Sans", sans-serif';
  if (band) {
    const [top, bottom] = [Math.max(box.top, y(band[1])), Math.min(box.top + box.height, y(band[0]))];
    context.fillStyle = colour('band-soft');
    if (bottom > top) context.fillRect(box.left, top, box.width, bottom - top);
  }
  context.strokeStyle = colour('line');
  context.fillStyle = colour('muted');
  context.lineWidth = 1;
  context.beginPath();
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  const rise = step(high - low, Math.max(2, box.height / 44));
  const decimals = Math.max(0, -Math.floor(Math.log10(rise) + 1e-9));
  for (let v = Math.ceil(low / rise) * rise; v <= high; v += rise) {
    context.moveTo(box.left, crisp(y(v)));
    context.lineTo(box.left + box.width, crisp(y(v)));
    const label = (Math.abs(v) < rise / 1e6 ? 0 : v).toFixed(Math.min(6, decimals)).replace('-', '\u2212');
    context.fillText(label, box.left - 8, y(v));
  }
  context.textAlign = 'center';
  context.textBaseline = 'top';
  const offset = new Date().getTimezoneOffset() * 60e3;
  const stride = [60e3, 120e3, 300e3, 600e3, 900e3, 1800e3, 3600e3, 7200e3, 10800e3, 14400e3, 21600e3]
    .find(width => span / width <= Math.max(2, box.width / 78)) ?? 43200e3;
  for (let t = Math.ceil((box.from - offset) / stride) * stride + offset; t <= box.to; t += stride) {
    context.moveTo(crisp(x(t)), box.top);
    context.lineTo(crisp(x(t)), box.top + box.height);
    const middle = Math.min(Math.max(x(t), box.left + 14), box.left + box.width - 14);
    context.fillText(clock(t, t, false), middle, box.top + box.height + 8);
  }
  context.stroke();

  context.save();
  context.beginPath();
  context.rect(box.left, 0, box.width, height);
  context.clip();
  context.fillStyle = colour('gap');
  points.forEach((point, i) => {
    if (!point.bad || points[i - 1]?.bad) return;
    const end = points.find((later, j) => j > i && !later.bad)?.t ?? box.to;
    context.fillRect(x(point.t), box.top, Math.max(1, x(end) - x(point.t)), box.height);
  });
  context.fillStyle = colour('fill');
  for (const point of points) {
    if (point.max === point.min || point.min === null) continue;
    context.fillRect(x(point.t) - 0.5, y(point.max), 1.5, Math.max(1, y(point.min) - y(point.max)));
  }
  context.strokeStyle = colour('trend');
  context.lineWidth = 2;
  context.lineJoin = 'round';
  context.beginPath();
  let pen = false;
  points.forEach((point, i) => {
    if (point.last === null) { pen = false; return; }
    if (pen) context.lineTo(x(point.t), y(point.last)); else context.moveTo(x(point.t), y(point.last));
    context.lineTo(x(points[i + 1]?.t ?? box.to), y(point.last));
    pen = true;
  });
  context.stroke();
  if (cursor !== null) {
    context.strokeStyle = colour('text');
    context.lineWidth = 1;
    context.beginPath();
    context.moveTo(crisp(x(cursor)), box.top);
    context.lineTo(crisp(x(cursor)), box.top + box.height);
    context.stroke();
  }
  context.restore();
  tell(seen);
}

function tell(seen) {
  const unit = tag.unit ? ` ${tag.unit}` : '';
  if (cursor !== null) {
    const point = points.findLast(candidate => candidate.t <= cursor);
    const text = !point ? 'no value yet' : point.last === null ? 'no value' : `${value(point.last, tag)}${unit}`;
    return setText(note, `${clock(cursor, gatewayNow())}: ${text}`);
  }
  if (tag.kind === 'text') return setText(note, 'Text has no trend.');
  if (!seen.length) return setText(note, 'No value in this time.');
  const [low, high] = [Math.min(...seen.map(point => point.min)), Math.max(...seen.map(point => point.max))];
  const gap = points.some(point => point.bad) ? ' · grey: no value' : '';
  const [name] = spans.find(([, length]) => length === span);
  setText(note, `${value(low, tag)} to ${value(high, tag)}${unit} in the last ${name}${gap}`);
}
