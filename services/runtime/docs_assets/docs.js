// Renders openapi.json. Everything is set as text, never as HTML: the document may quote examples.
"use strict";

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const resolve = (api, value) => {
  let current = value;
  while (current && current.$ref) {
    current = current.$ref.slice(2).split("/").reduce((at, part) => at && at[part.replace(/~1/g, "/")], api);
  }
  return current;
};

const typeName = (api, schema) => {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  const variants = schema.anyOf || schema.oneOf;
  if (variants) return variants.map((one) => typeName(api, one)).join(" | ");
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.type === "array") return `list of ${typeName(api, schema.items) || "anything"}`;
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : schema.type || "anything";
  return schema.format ? `${type} (${schema.format})` : type;
};

const json = (value) => make("pre", {}, typeof value === "string" ? value : JSON.stringify(value, null, 2));

const examplesOf = (media) => {
  if (media.examples) return Object.entries(media.examples).map(([name, one]) => [one.summary || name, one.value]);
  if (media.example !== undefined) return [["Example", media.example]];
  return [];
};

const contentOf = (api, content) => {
  const block = make("div");
  for (const [mediaType, media] of Object.entries(content || {})) {
    block.append(make("p", {}, make("code", {}, mediaType), ` ${typeName(api, media.schema)}`));
    for (const [title, value] of examplesOf(media)) {
      block.append(make("details", {}, make("summary", {}, title), json(value)));
    }
    const schema = resolve(api, media.schema);
    if (schema) block.append(make("details", {}, make("summary", {}, "Schema"), json(schema)));
  }
  return block;
};

const parametersOf = (api, parameters) => {
  const rows = parameters.map((reference) => resolve(api, reference)).map((parameter) => make("tr", {},
    make("td", {}, make("code", {}, parameter.name), parameter.required ? " (required)" : ""),
    make("td", {}, parameter.in),
    make("td", {}, typeName(api, parameter.schema)),
    make("td", {}, parameter.description || (parameter.schema && parameter.schema.description) || "")));
  const head = make("tr", {}, ...["Name", "In", "Type", "Meaning"].map((name) => make("th", {}, name)));
  return make("table", {}, head, ...rows);
};

const operation = (api, path, method, about) => {
  const id = about.operationId || `${method}-${path}`;
  const section = make("section", { id },
    make("h2", {}, make("span", { class: `method ${method}` }, method.toUpperCase()), make("span", { class: "path" }, path)),
    make("p", {}, about.summary || ""), about.description ? make("p", {}, about.description) : null);
  if (about.parameters && about.parameters.length) {
    section.append(make("h3", {}, "Parameters"), parametersOf(api, about.parameters));
  }
  if (about.requestBody) {
    section.append(make("h3", {}, "Body"), contentOf(api, resolve(api, about.requestBody).content));
  }
  section.append(make("h3", {}, "Answers"));
  for (const [status, reference] of Object.entries(about.responses || {})) {
    const answer = resolve(api, reference);
    section.append(make("details", {}, make("summary", {}, make("code", {}, status), ` ${answer.description || ""}`),
      contentOf(api, answer.content)));
  }
  const link = make("a", { href: `#${id}` }, `${method.toUpperCase()} ${path}`);
  return { section, link };
};

const render = (api) => {
  document.title = api.info.title;
  document.getElementById("title").textContent = api.info.title;
  document.getElementById("description").textContent = api.info.description || "";
  const contents = document.getElementById("contents");
  const operations = document.getElementById("operations");
  operations.replaceChildren();
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const [method, about] of Object.entries(methods)) {
      const { section, link } = operation(api, path, method, about);
      operations.append(section);
      contents.append(link);
    }
  }
};

fetch("openapi.json")
  .then((answer) => (answer.ok ? answer.json() : Promise.reject(new Error(`status ${answer.status}`))))
  .then(render)
  .catch((error) => { document.getElementById("operations").textContent = `openapi.json could not be read: ${error.message}`; });
