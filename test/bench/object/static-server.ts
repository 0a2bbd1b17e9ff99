// A server that streams files of a folder and does nothing else, as a process of its own: FOLDER PORT.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

const [folder = '', port = ''] = process.argv.slice(2);
createServer((request, response) => {
  const path = join(folder, (request.url ?? '/').slice(1));
  const { size } = statSync(path);
  response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' });
  if (request.method === 'HEAD') response.end();
  else createReadStream(path, { highWaterMark: 262_144 }).pipe(response);
}).listen(Number(port), '127.0.0.1');
