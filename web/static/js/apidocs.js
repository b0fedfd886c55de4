// The API's own description, read and tried on the page. Nothing is validated by anybody else's server.
const target = document.getElementById('api');
window.SwaggerUIBundle({
  url: target.dataset.url,
  domNode: target,
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor: (request) => {
    request.headers['X-CSRFToken'] = document.querySelector('meta[name="csrf-token"]').content;
    return request;
  },
});
