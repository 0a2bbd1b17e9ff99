import type { XmlElement } from '@folsom/wire';
import type { XmlTemplate } from '@folsom/wire/nova-xml';
import type { Answer } from './answer.ts';
import type { ApiRequest } from './request.ts';

/** One operation of a resource. */
export interface Operation {
  handle(api: ApiRequest): Answer | Promise<Answer>;
  /** Template of the answer's XML; without one Folsom's generic rules apply. */
  xml?: XmlTemplate;
  /** Reads an XML body into the JSON body it stands for; without one the generic rules apply. */
  readXml?(root: XmlElement): unknown;
  /** Whether a body must be there; default for POST and PUT. */
  body?: boolean;
}

export interface RoutedOperation extends Operation {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
}

/**
 * A resource: routing, bodies, XML and actions derive from it. What it does not have answers 404 in the API's own shape,
 * as the original's routes did.
 */
export interface Resource {
  /** Below the tenant, e.g. `servers/:server_id/metadata`. */
  path: string;
  index?: Operation;
  create?: Operation;
  show?: Operation;
  update?: Operation;
  delete?: Operation;
  /** Operations on the collection by name, e.g. `detail`. */
  collection?: Readonly<Record<string, RoutedOperation>>;
  /** Operations on one item by name, e.g. `uptime`. */
  member?: Readonly<Record<string, RoutedOperation>>;
  /** What `POST :id/action` can do, by the body's one key. */
  actions?: Readonly<Record<string, Operation>>;
  /** Also PUT on the collection, for metadata. */
  replace?: Operation;
}

export interface Route {
  method: string;
  /** Below the tenant. */
  path: string;
  name: string;
  /** Undefined: a route that exists and has nothing behind it. */
  operation: Operation | undefined;
  /** Set for `/action`. */
  actions?: Readonly<Record<string, Operation>>;
}

/** The routes of a resource in the order in which they must be matched. */
export function routesOf(resource: Resource): Route[] {
  const { path } = resource;
  const routes: Route[] = [];
  const add = (method: string, at: string, name: string, operation: Operation | undefined) =>
    routes.push({ method, path: at, name: `${path} ${name}`, operation });
  for (const [name, operation] of Object.entries(resource.collection ?? {})) {
    add(operation.method, `${path}/${name}`, name, operation);
  }
  add('GET', path, 'index', resource.index);
  add('POST', path, 'create', resource.create);
  if (resource.replace) add('PUT', path, 'replace', resource.replace);
  add('GET', `${path}/new`, 'new', undefined);
  for (const [name, operation] of Object.entries(resource.member ?? {})) {
    add(operation.method, `${path}/:id/${name}`, name, operation);
  }
  if (resource.actions) {
    routes.push({
      method: 'POST',
      path: `${path}/:id/action`,
      name: `${path} action`,
      operation: undefined,
      actions: resource.actions,
    });
  }
  add('GET', `${path}/:id/edit`, 'edit', undefined);
  add('GET', `${path}/:id`, 'show', resource.show);
  add('PUT', `${path}/:id`, 'update', resource.update);
  add('DELETE', `${path}/:id`, 'delete', resource.delete);
  return routes;
}
