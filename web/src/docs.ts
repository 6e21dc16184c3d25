// The description of the API, as this server gives it, with requests that can be tried.
import SwaggerUI from "swagger-ui-dist/swagger-ui-es-bundle.js";
import "swagger-ui-dist/swagger-ui.css";
import "./docs.css";

SwaggerUI({
  url: "/openapi.json",
  domNode: document.getElementById("page")!,
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  validatorUrl: null, // the default asks somebody else's server
  queryConfigEnabled: false, // an address must not bring a description of its own
  tryItOutEnabled: true,
});
