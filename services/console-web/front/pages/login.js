import { request, session } from '../lib/api.js';
import { go, place } from '../lib/router.js';
import { language, loadTexts, t } from '../lib/text.js';
import { html, useState } from '../lib/view.js';
import { Icon, Mark } from '../ui/icons.js';
import { TextField } from '../ui/parts.js';

export function Login() {
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);
  const send = async event => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setBusy(true);
    setError('');
    try {
      const { body } = await request('POST', '/api/session', {
        body: { username: form.get('username'), password: form.get('password') },
      });
      // The page that was asked for is the one in the address: nothing else says where to go.
      if (place.get().path === '/login') go('/', { replace: true });
      session.set(body);
    } catch (problem) {
      setError(/** @type {Error} */ (problem).message);
      setBusy(false);
    }
  };
  const other = language.get() === 'zh' ? { name: 'en', text: 'English' } : { name: 'zh', text: '中文' };
  return html`
    <main class="login">
      <form class="login-card" onSubmit=${send}>
        <div class="login-brand"><${Mark} /><h1 tabindex="-1">${t('login.title')}</h1></div>
        <${TextField} label=${t('login.user')} name="username" autocomplete="username" required autofocus autocapitalize="none" spellcheck=${false} />
        <${TextField} label=${t('login.password')} name="password" type="password" autocomplete="current-password" required />
        ${error && html`<div class="problem" role="alert"><${Icon} name="warning" /><p>${error}</p></div>`}
        <button type="submit" class="button primary big" disabled=${busy} aria-busy=${busy}>
          ${busy && html`<span class="spinner" />`}<span>${t('login.submit')}</span>
        </button>
      </form>
      <button type="button" class="button bare" lang=${other.name} onClick=${() => loadTexts(other.name)}>${other.text}</button>
    </main>
  `;
}
