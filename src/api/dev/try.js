// Adds a form to each endpoint: path and query parameters, a JSON body, and the answer below it.
"use strict";
const token = document.getElementById("token");
fetch("/openapi.json").then((answer) => answer.json()).then((description) => {
  const example = (schema, depth = 0) => {
    if (!schema || depth > 4) return null;
    if (schema.$ref) return example(description.components.schemas[schema.$ref.split("/").pop()], depth + 1);
    if (schema.example !== undefined) return schema.example;
    const type = Array.isArray(schema.type) ? schema.type[0] : schema.type;
    if (type === "object" && schema.properties) {
      const wanted = schema.required || [];
      return Object.fromEntries(Object.entries(schema.properties).filter(([name]) => wanted.includes(name)).map(([name, of]) => [name, example(of, depth + 1)]));
    }
    return { string: "", integer: 0, number: 0, boolean: false, array: [], object: {} }[type] ?? null;
  };
  for (const place of document.querySelectorAll("details[data-path]")) {
    const method = place.dataset.method;
    const operation = description.paths[place.dataset.path][method.toLowerCase()];
    const form = document.createElement("form");
    const inputs = (operation.parameters || []).map((parameter) => {
      const label = document.createElement("label");
      const input = document.createElement("input");
      label.append(parameter.name, input);
      form.append(label);
      return { parameter, input };
    });
    let body = null;
    const schema = operation.requestBody?.content?.["application/json"]?.schema;
    if (schema) {
      body = document.createElement("textarea");
      body.rows = 6;
      body.value = JSON.stringify(example(schema), null, 2);
      form.append(body);
    }
    const button = document.createElement("button");
    button.textContent = "Try";
    const out = document.createElement("pre");
    out.hidden = true;
    form.append(button, out);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      let path = place.dataset.path;
      const query = new URLSearchParams();
      for (const { parameter, input } of inputs) {
        if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
        else if (input.value) query.set(parameter.name, input.value);
      }
      if ([...query].length) path += `?${query}`;
      const headers = token.value ? { authorization: `Bearer ${token.value}` } : {};
      if (body) headers["content-type"] = "application/json";
      out.hidden = false;
      try {
        const answer = await fetch(path, { method, headers, body: body ? body.value : undefined });
        const kind = answer.headers.get("content-type") || "";
        let text = kind.includes("json") ? JSON.stringify(await answer.json(), null, 2) : kind.startsWith("audio/") ? `${(await answer.blob()).size} bytes of ${kind}` : await answer.text();
        out.textContent = `${answer.status} ${answer.statusText}\n${text}`;
      } catch (problem) {
        out.textContent = String(problem);
      }
    });
    place.append(form);
  }
});
