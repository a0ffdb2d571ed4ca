/** A small menu over the page, below or above a button. */

/**
 * @typedef {object} Button
 * @property {string} label
 * @property {string} [title]
 * @property {boolean} [disabled]
 * @property {() => void} run
 */

/** @typedef {Button & { detail?: string, extra?: Button }} Item with a second button at its end, if any */

/**
 * Open a menu. Arrow keys move, Escape and a press elsewhere close.
 *
 * @param {HTMLElement} anchor
 * @param {Item[]} items
 * @param {string} note a line below the items, if any
 */
export function openMenu(anchor, items, note = "") {
  const menu = document.createElement("div");
  menu.className = "stylemix-menu";
  menu.setAttribute("role", "menu");

  const close = () => {
    window.removeEventListener("pointerdown", outside, true);
    window.removeEventListener("wheel", outside, true);
    menu.remove();
  };
  /** @param {Event} event */
  const outside = (event) => {
    if (!(event.target instanceof Node && menu.contains(event.target))) close();
  };
  const enabled = () => [...menu.querySelectorAll("button")].filter(({ disabled }) => !disabled);
  /** @param {string} className @param {Button} options */
  const button = (className, { label, title, disabled, run }) => {
    const element = document.createElement("button");
    element.className = className;
    element.type = "button";
    element.tabIndex = -1;
    element.disabled = Boolean(disabled);
    element.title = title ?? "";
    element.textContent = label;
    element.setAttribute("role", "menuitem");
    element.addEventListener("click", () => {
      close();
      anchor.focus({ preventScroll: true });
      run();
    });
    return element;
  };
  for (const item of items) {
    const row = document.createElement("div");
    row.className = "stylemix-menu-row";
    row.setAttribute("role", "none");
    const main = button("stylemix-menu-item", item);
    if (item.detail) {
      const detail = document.createElement("span");
      detail.className = "stylemix-menu-detail";
      detail.textContent = item.detail;
      main.append(detail);
    }
    row.append(main);
    if (item.extra) {
      const extra = button("stylemix-menu-extra", { ...item.extra, disabled: item.disabled });
      extra.setAttribute("aria-label", `${item.label}: ${item.extra.title}`);
      row.append(extra);
    }
    menu.append(row);
  }

  if (note) {
    const line = document.createElement("div");
    line.className = "stylemix-menu-note";
    line.textContent = note;
    menu.append(line);
  }

  menu.addEventListener("keydown", (event) => {
    event.stopPropagation();
    const mains = enabled().filter((element) => element.matches(".stylemix-menu-item"));
    const active = document.activeElement;
    const row = mains.findIndex((main) => main.parentElement === active?.parentElement);
    /** @type {Record<string, Element | null | undefined>} */
    const places = {
      ArrowDown: mains[(row + 1) % mains.length],
      ArrowUp: mains[(row - 1 + mains.length) % mains.length],
      Home: mains[0],
      End: mains.at(-1),
      ArrowRight: active?.nextElementSibling,
      ArrowLeft: active?.previousElementSibling,
    };
    const to = places[event.key];
    if (event.key === "Escape" || event.key === "Tab") {
      close();
      anchor.focus({ preventScroll: true });
    } else if (to instanceof HTMLButtonElement) to.focus();
    else if (event.key === "Enter" || event.key === " ") return;
    event.preventDefault();
  });

  (anchor.closest("dialog") ?? document.body).append(menu); // a dialog is above all else
  const place = anchor.getBoundingClientRect();
  const { offsetWidth, offsetHeight } = menu;
  const below = place.bottom + offsetHeight < window.innerHeight;
  menu.style.top = `${Math.max(4, below ? place.bottom + 2 : place.top - offsetHeight - 2)}px`;
  menu.style.left = `${Math.max(4, Math.min(place.left, window.innerWidth - offsetWidth - 4))}px`;
  window.addEventListener("pointerdown", outside, true);
  window.addEventListener("wheel", outside, true);
  enabled()[0]?.focus();
}
