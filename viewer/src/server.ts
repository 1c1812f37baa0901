// Requests to the server, and what it says when it refuses one.

export type Parameter = string | number | boolean | null | undefined | string[];

export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function at(path: string, query: Record<string, Parameter> = {}): string {
  const parts = Object.entries(query).flatMap(([name, value]) => {
    if (value === null || value === undefined || value === "") return [];
    return (Array.isArray(value) ? value : [value]).map((one) => `${name}=${encodeURIComponent(one)}`);
  });
  return parts.length ? `${path}?${parts.join("&")}` : path;
}

export async function ask(address: string, init?: RequestInit): Promise<Response> {
  const answer = await fetch(address, init).catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refusal(0, "The server does not answer. Is it still running?");
  });
  if (!answer.ok) throw new Refusal(answer.status, reason(answer.status, await answer.text().catch(() => "")));
  return answer;
}

export async function json<T>(address: string, init?: RequestInit): Promise<T> {
  return (await ask(address, init)).json() as Promise<T>;
}

// Send a form, telling how much of it has arrived (0 to 1), which fetch cannot.
export function send(
  address: string,
  form: FormData,
  progress: (part: number) => void,
  headers: Record<string, string> = {},
): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => event.lengthComputable && progress(event.loaded / event.total);
    request.onload = () =>
      request.status === 200
        ? resolve()
        : reject(new Refusal(request.status, reason(request.status, request.responseText)));
    request.onerror = () => reject(new Refusal(0, "The connection broke off; nothing was saved."));
    request.send(form);
  });
}

function reason(status: number, body: string): string {
  try {
    const detail: unknown = JSON.parse(body).detail;
    if (typeof detail === "string" && detail) return sentence(detail);
  } catch {
    // not JSON: the status says what there is to say
  }
  return `The server answered with status ${status}.`;
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1) + (/[.!?]$/.test(words) ? "" : ".");
}
