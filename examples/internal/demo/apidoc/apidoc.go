// Package apidoc holds what programs and a site say to each other against docs/openapi.json.
package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Doc is the description. It is safe for concurrent use, and remembers what it has seen.
type Doc struct {
	schemas *jsonschema.Compiler
	root    document
	mu      sync.Mutex
	seen    map[string]bool
}

// document is what this package reads of OpenAPI 3.1; the schemas in it are JSON Schema 2020-12, which the compiler reads.
type document struct {
	Paths map[string]map[string]struct {
		RequestBody *struct {
			Required bool
			Content  map[string]any
		}
		Responses map[string]response
	}
	Components struct {
		Responses map[string]response
		Headers   map[string]header
	}
}

type response struct {
	Ref     string `json:"$ref"`
	Headers map[string]header
	Content map[string]any
}

type header struct {
	Ref      string `json:"$ref"`
	Required bool
}

const base = "file:///openapi.json"

// Load reads docs/openapi.json of this module, above the working directory.
func Load() (*Doc, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			return nil, fmt.Errorf("apidoc: no go.mod above the working directory")
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "docs", "openapi.json"))
	if err != nil {
		return nil, err
	}
	return Parse(raw)
}

// Parse reads a description.
func Parse(raw []byte) (*Doc, error) {
	d := &Doc{schemas: jsonschema.NewCompiler(), seen: map[string]bool{}}
	d.schemas.DefaultDraft(jsonschema.Draft2020)
	d.schemas.AssertFormat()
	if err := json.Unmarshal(raw, &d.root); err != nil {
		return nil, err
	}
	whole, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	return d, d.schemas.AddResource(base, whole)
}

// Operations are the paths and methods that are described, as "POST /api/login".
func (d *Doc) Operations() (list []string) {
	for path, methods := range d.root.Paths {
		for method := range methods {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// Statuses are what an operation may answer.
func (d *Doc) Statuses(operation string) []string {
	method, path, _ := strings.Cut(operation, " ")
	return slices.Sorted(maps.Keys(d.root.Paths[path][strings.ToLower(method)].Responses))
}

// Unseen lists what is described and was not answered yet, as "POST /api/login 200".
func (d *Doc) Unseen() (list []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, operation := range d.Operations() {
		for _, status := range d.Statuses(operation) {
			if !d.seen[operation+" "+status] {
				list = append(list, operation+" "+status)
			}
		}
	}
	return list
}

// Check says what about a request and its answer is not as described. A request that is not may be refused, and nothing else.
func (d *Doc) Check(r *http.Request, body string, status int, h http.Header, answer string) error {
	method, path := strings.ToLower(r.Method), r.URL.Path
	operation, described := d.root.Paths[path][method]
	if !described {
		if status < 400 && r.Method != http.MethodHead {
			return fmt.Errorf("%s %s answered %d and is not described", r.Method, path, status)
		}
		return nil
	}
	place := []string{"paths", path, method}
	if b := operation.RequestBody; status < 400 && b == nil && body != "" {
		return fmt.Errorf("a body was taken that is not described")
	} else if status < 400 && b != nil && (body != "" || b.Required) {
		if err := d.value(pointer(append(place, "requestBody", "content", "application/json", "schema")...), body); err != nil {
			return fmt.Errorf("a request was taken that is not as described: %w", err)
		}
	}
	code := fmt.Sprint(status)
	res, described := operation.Responses[code]
	if !described {
		return fmt.Errorf("%s %s answered %d, which is not described", r.Method, path, status)
	}
	at := append(place, "responses", code)
	if name, ok := strings.CutPrefix(res.Ref, "#/components/responses/"); ok {
		res, at = d.root.Components.Responses[name], []string{"components", "responses", name}
	}
	if err := d.headers(at, res, h); err != nil {
		return err
	}
	contentType := h.Get("Content-Type")
	if _, described := res.Content[contentType]; !described {
		return fmt.Errorf("%s %s answered %d with %q, which is not described", r.Method, path, status, contentType)
	}
	if err := d.value(pointer(append(at, "content", contentType, "schema")...), answer); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[r.Method+" "+path+" "+code] = true
	return nil
}

func (d *Doc) headers(at []string, res response, h http.Header) error {
	for name, described := range res.Headers {
		place := append(slices.Clone(at), "headers", name)
		if component, ok := strings.CutPrefix(described.Ref, "#/components/headers/"); ok {
			described, place = d.root.Components.Headers[component], []string{"components", "headers", component}
		}
		if len(h.Values(name)) == 0 {
			if described.Required {
				return fmt.Errorf("the header %s is missing", name)
			}
			continue
		}
		raw, err := json.Marshal(h.Values(name)[0])
		if err != nil {
			return err
		}
		if err := d.value(pointer(append(place, "schema")...), string(raw)); err != nil {
			return fmt.Errorf("the header %s: %w", name, err)
		}
	}
	return nil
}

// value holds a JSON text against the schema at a place of the document.
func (d *Doc) value(place, text string) error {
	d.mu.Lock()
	schema, err := d.schemas.Compile(base + place)
	d.mu.Unlock()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return fmt.Errorf("%q is no JSON: %w", text, err)
	}
	return schema.Validate(v)
}

// pointer is a JSON pointer in a URI's fragment (RFC 6901 section 6).
func pointer(tokens ...string) string {
	p := "#"
	for _, t := range tokens {
		p += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(t)
	}
	return p
}
