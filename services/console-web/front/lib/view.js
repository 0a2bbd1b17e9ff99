// The one place that knows the libraries of the page.

import htm from 'htm';
import { h, render } from 'preact';
import { useCallback, useEffect, useId, useMemo, useRef, useState } from 'preact/hooks';

export const html = htm.bind(h);
export { render, useCallback, useEffect, useId, useMemo, useRef, useState };
