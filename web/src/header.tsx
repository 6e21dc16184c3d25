import { text } from "./text";

export function Header() {
  return (
    <header class="site">
      <a href="/" class="site-name">
        <span class="site-mark" aria-hidden="true" />
        {text.siteName}
      </a>
    </header>
  );
}
