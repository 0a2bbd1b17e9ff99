#!/usr/bin/env node
import { launch } from '../launch.mjs';

await launch('nova-volume-usage-audit');
