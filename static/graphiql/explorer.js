// Queries go out with the back office's session; a bearer token can be given under Headers.
const csrfToken = document.querySelector("[name=csrfmiddlewaretoken]").value;
const fetcher = GraphiQL.createFetcher({
  url: document.body.dataset.endpoint,
  headers: { "X-CSRFToken": csrfToken },
});
const example = `# Open deals, the largest first, with who they are for and whose they are.
query OpenDeals {
  opportunities(isOpen: true, limit: 10, ordering: "-amount") {
    totalCount
    nodes {
      name
      stage
      amount
      currency
      account { name industry }
      owner { name }
      territory { name }
    }
  }
}
`;
ReactDOM.createRoot(document.getElementById("explorer")).render(
  React.createElement(GraphiQL, { fetcher, defaultQuery: example, defaultEditorToolsVisibility: true }),
);
