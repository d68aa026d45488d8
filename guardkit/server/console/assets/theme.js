// Runs before the page is drawn: the theme that was chosen, else that of the system.
"use strict";
(() => {
  const known = ["light", "dark"];
  let kept = null;
  try {
    kept = localStorage.getItem("guardkit.theme");
  } catch {
    // A browser may keep nothing; then the system decides.
  }
  if (known.includes(kept)) document.documentElement.dataset.theme = kept;
})();
