import RFB from './core/rfb.js';

const parameters = new URLSearchParams(location.search);
const element = id => document.getElementById(id);
const say = text => {
  element('status').textContent = text;
};
const isSet = name => /^(1|true|yes|on)$/i.test(parameters.get(name) ?? '');

const token = parameters.get('token') ?? '';
const title = parameters.get('title');
if (title !== null) document.title = title;

function open() {
  // Always back to the server this page came from: an address in the page's own parameters is not followed.
  const address = new URL('websockify', location.href);
  address.protocol = location.protocol === 'https:' ? 'wss:' : 'ws:';
  address.search = new URLSearchParams({ token }).toString();
  address.hash = '';
  const rfb = new RFB(element('screen'), address.href, { shared: parameters.get('shared') !== 'false' });
  rfb.scaleViewport = true;
  rfb.viewOnly = isSet('view_only');
  say('Connecting');

  rfb.addEventListener('connect', () => {
    say('Connected');
    element('ctrl-alt-del').disabled = rfb.viewOnly;
    rfb.focus();
  });
  rfb.addEventListener('disconnect', event => {
    element('ctrl-alt-del').disabled = true;
    say(
      event.detail.clean
        ? 'Disconnected'
        : 'The console cannot be reached. An address opens it once: ask for a new one.',
    );
  });
  rfb.addEventListener('desktopname', event => {
    element('name').textContent = event.detail.name;
    if (title === null) document.title = event.detail.name;
  });
  rfb.addEventListener('credentialsrequired', () => {
    const form = element('password');
    form.hidden = false;
    form.querySelector('input').focus();
    form.addEventListener(
      'submit',
      event => {
        event.preventDefault();
        form.hidden = true;
        rfb.sendCredentials({ password: form.querySelector('input').value });
      },
      { once: true },
    );
  });
  rfb.addEventListener('securityfailure', event => say(`Refused: ${event.detail.reason ?? ''}`));
  element('ctrl-alt-del').addEventListener('click', () => rfb.sendCtrlAltDel());
}

if (token === '') say('This address has no token. Ask for a new one: nova get-vnc-console SERVER novnc');
else open();
