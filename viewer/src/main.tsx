// Starts the viewer.

import { render } from "preact";
import { App } from "./app";
import { apply, theme } from "./theme";

apply(theme());
render(<App />, document.getElementById("app")!);
