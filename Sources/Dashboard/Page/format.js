// How numbers, times and qualities are said, and how elements are made: with text only, never with markup from outside.

/** Makes an element. `attributes` are set as attributes, `children` are elements or text. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

export const setText = (element, text) => { if (element.textContent !== text) element.textContent = text; };

/** Quality names of OPC UA in words that fit beside a value. */
const words = {
  BadTimeout: 'no answer', BadCommunicationError: 'link error', BadConnectionClosed: 'link closed',
  BadNoCommunication: 'no link', BadWaitingForInitialData: 'no value yet', BadDecodingError: 'unreadable',
  BadNotSupported: 'not supported', BadResourceUnavailable: 'busy', BadConfigurationError: 'wrong setup',
  BadDeviceFailure: 'device fault', BadSensorFailure: 'sensor fault', BadDataLost: 'data lost',
  BadTypeMismatch: 'wrong type', BadNumericOverflow: 'overflow', BadOutOfRange: 'no result',
  UncertainLastUsableValue: 'old value', UncertainDataSubNormal: 'in part',
  UncertainEngineeringUnitsExceeded: 'out of range',
};
export const qualityWord = name => words[name] ?? name.toLowerCase();
/** 0 good, 1 uncertain, 2 bad. */
export const severity = name => !name || name.startsWith('Good') ? 0 : /^unc/i.test(name) ? 1 : 2;

/** As many decimals as fit the magnitude, and always the same number of them, so that a live value doesn't jump. */
export function value(value, tag) {
  if (value === null || value === undefined) return '–';
  const name = tag?.states?.[Number(value)];
  if (name !== undefined && typeof value !== 'string') return name;
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string') return value;
  if (tag?.kind === 'integer') return grouped(String(value));
  const size = Math.max(Math.abs(value), ...(tag?.range ?? []).map(limit => Math.abs(limit) / 5));
  if (size >= 1e9 || size > 0 && size < 1e-4) return value.toExponential(3);
  return grouped(value.toFixed(size >= 1e4 ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 4));
}

const grouped = digits => {
  const [whole, rest] = digits.split('.');
  const spaced = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, '\u2009') : whole;
  return (rest === undefined ? spaced : `${spaced}.${rest}`).replace('-', '\u2212');
};

/** A whole number with thin spaces. */
export const count = number => grouped(String(number));

export function age(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)}\u00a0s`;
  if (seconds < 120) return `${Math.round(seconds)}\u00a0s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)}\u00a0min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)}\u00a0h`;
  return `${Math.round(seconds / 86400)}\u00a0d`;
}

const two = number => String(number).padStart(2, '0');
/** The time of day, with the date unless it is today. */
export function clock(milliseconds, now, withSeconds = true) {
  const date = new Date(milliseconds);
  const time = `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? `:${two(date.getSeconds())}` : ''}`;
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** `area/line/press/meter` as where and which. */
export function split(path) {
  const cut = path.lastIndexOf('/') + 1;
  return [path.slice(0, cut), path.slice(cut)];
}
