import { BASE } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { openDialog } from '../../ui/dialog.js';
import { tellError } from '../../ui/toasts.js';

/** Opens the launch dialog; its code comes with the first use. @param {{ image?: string, volume?: string, start?: string, done?: () => void }} [given] */
export async function openLaunch(given = {}) {
  try {
    const { Launch } = await import(`${BASE}pages/instances/launch.js`);
    openDialog(close => html`<${Launch} ...${given} onClose=${close} />`);
  } catch (error) {
    tellError(error);
  }
}
