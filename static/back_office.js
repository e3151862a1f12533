"use strict";

// Buttons that need no question post at once; without this script their address asks first.
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-posts]");
  const token = document.querySelector("input[name=csrfmiddlewaretoken]");
  if (!link || !token || event.ctrlKey || event.metaKey || event.shiftKey) {
    return;
  }
  event.preventDefault();
  const form = document.createElement("form");
  form.method = "post";
  form.action = link.href;
  form.append(token.cloneNode());
  document.body.append(form);
  form.submit();
});

// "/" goes to the search of a list.
document.addEventListener("keydown", (event) => {
  const search = document.querySelector("#searchbar");
  const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
  if (event.key === "/" && search && !isTyping) {
    event.preventDefault();
    search.focus();
  }
});

// A dialog takes the focus, and gives it back when it closes.
document.addEventListener("htmx:afterSwap", (event) => {
  const first = event.detail.target.querySelector(
    "input:not([type=hidden]), select, textarea, button[type=submit]",
  );
  if (event.detail.target.id === "modal-content" && first) {
    setTimeout(() => first.focus(), 50);
  }
});

// Unfold opens menus by clicks on plain elements: let the keyboard reach them.
const reachable = (root) => {
  for (const element of root.querySelectorAll("[x-on\\:click]")) {
    if (element.matches("a[href], button, input, select, textarea, #modal-overlay")) {
      continue;
    }
    element.tabIndex = 0;
    element.setAttribute("role", "button");
    if (element.matches(".material-symbols-outlined")) {
      element.setAttribute("aria-label", "Show or hide the navigation");
    }
  }
};
document.addEventListener("DOMContentLoaded", () => reachable(document));
document.addEventListener("htmx:load", (event) => reachable(event.detail.elt));
document.addEventListener("keydown", (event) => {
  const isPress = event.key === "Enter" || event.key === " ";
  if (isPress && event.target.matches("[x-on\\:click][role=button]")) {
    event.preventDefault();
    event.target.click();
  }
});

// Unfold writes the name of a chosen file into a text field beside it; the import has none.
document.addEventListener("DOMContentLoaded", () => {
  for (const input of document.querySelectorAll("#import-file")) {
    input.hasChangeListener = true;
  }
});

// A row of a table opens what lies below it, and folds it away again.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (!opener) {
    return;
  }
  const isOpen = opener.getAttribute("aria-expanded") === "true";
  opener.setAttribute("aria-expanded", String(!isOpen));
  if (!isOpen) {
    htmx.trigger(opener, "open");
    return;
  }
  const row = opener.closest("[data-place]");
  const below = `${row.dataset.place}/`;
  for (const one of row.parentElement.querySelectorAll("[data-place]")) {
    if (one.dataset.place.startsWith(below)) {
      one.remove();
    }
  }
});
