import { render } from "preact";
import "./style.css";
import { Home } from "./home";
import { text } from "./text";

async function openPage(root: HTMLElement): Promise<void> {
  document.title = text.siteName;
  const streamId = /^\/watch\/([^/]+)\/?$/.exec(location.pathname)?.[1];
  if (streamId === undefined) {
    render(<Home />, root);
    return;
  }
  const { Watch } = await import("./watch");
  render(<Watch streamId={decodeURIComponent(streamId)} />, root);
}

const root = document.getElementById("page");
if (root) void openPage(root);
