/** A section of docs/json.md by its heading, with the sections that it refers to (`as in `compare``). */
export function jsonSection(document: string, heading: string): string {
  const seen = new Set<string>();
  const parts: string[] = [];
  const visit = (name: string): void => {
    if (seen.has(name)) return;
    seen.add(name);
    const from = document.indexOf(`\n## ${name}\n`);
    if (from < 0) return;
    const end = document.indexOf('\n## ', from + 1);
    const part = document.slice(from, end < 0 ? undefined : end);
    parts.push(part);
    for (const [, words = ''] of part.matchAll(/as (?:in|of) ((?:`[\w -]+`(?:, | and )?)+)/g)) {
      for (const [, other = ''] of words.matchAll(/`([\w -]+)`/g)) visit(other);
    }
  };
  visit(heading);
  return parts.join('\n');
}

/** Every word between backticks: the names that a text defines. */
export function definedNames(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code = '']) => code.match(/\w+/g) ?? []));
}

/** Names whose children are data and not names: `caches` of `caches.<name>`. */
function openNames(text: string): ReadonlySet<string> {
  return new Set([...text.matchAll(/(\w+)\.</g)].map(([, name = '']) => name));
}

/** Names in a JSON value that a text does not define, each with the path at which it stood first. */
export function undefinedNames(value: unknown, text: string): readonly string[] {
  const defined = definedNames(text);
  const open = openNames(text);
  const missing = new Map<string, string>();
  const visit = (part: unknown, path: string, isOpen: boolean): void => {
    if (Array.isArray(part)) {
      for (const element of part.slice(0, 50)) visit(element, `${path}[]`, false);
    } else if (typeof part === 'object' && part !== null) {
      for (const [name, child] of Object.entries(part)) {
        if (!isOpen && !defined.has(name) && !missing.has(name)) missing.set(name, `${path}.${name}`);
        visit(child, `${path}.${isOpen ? '<name>' : name}`, open.has(name));
      }
    }
  };
  visit(value, '', false);
  return [...missing.values()];
}
