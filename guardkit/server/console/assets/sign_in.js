// The form in front of the console: the token goes out once, and a cookie comes back.
const form = document.getElementById("sign-in");
const token = document.getElementById("token");
const wrong = document.getElementById("wrong");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const reply = await fetch("/console/sign-in", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ token: token.value }),
    });
    if (reply.ok) {
      location.reload();
      return;
    }
    const said = await reply.json().catch(() => ({}));
    wrong.textContent = `${said.message ?? "that did not work"}.`;
  } catch {
    wrong.textContent = "The server does not answer.";
  } finally {
    button.disabled = false;
  }
  token.value = "";
  token.focus();
});
