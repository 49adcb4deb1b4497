package senders

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// maxAnswer bounds, in bytes, what is read of an answer. Providers' answers are about 1 KiB.
const maxAnswer = 16 << 10

// StatusError is an HTTP answer other than 2xx, redirects included, or one that reports a failure. It carries numbers only,
// since the answer's text may repeat the message.
type StatusError struct {
	Status int // the HTTP status
	Code   int // the provider's own error code; 0 when there is none
}

// Error names the numbers.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("HTTP status %d", e.Status)
	if e.Status >= 300 && e.Status < 400 {
		s += " (redirects are not followed: configure the final address)"
	}
	if e.Code != 0 {
		s += fmt.Sprintf(", provider's error code %d", e.Code)
	}
	return s
}

// endpoint is one address that messages are posted to.
type endpoint struct {
	url     *url.URL
	client  *http.Client
	timeout time.Duration
}

// newEndpoint checks an address. Its errors never repeat it, since it may hold credentials in its user part or query.
func newEndpoint(rawURL string, insecureHTTP bool, timeout time.Duration, rt http.RoundTripper) (endpoint, error) {
	if rawURL == "" {
		return endpoint{}, errors.New("no URL: give the https:// address to post to")
	}
	u, err := url.Parse(rawURL)
	switch {
	case err != nil || u.Hostname() == "" || u.Opaque != "":
		return endpoint{}, errors.New("the URL cannot be read: write https://host/path and percent-encode special characters")
	case u.Scheme == "http" && !insecureHTTP:
		return endpoint{}, errors.New("the URL is http://, which shows codes to the network: use https://, or set InsecureHTTP for a local test")
	case u.Scheme != "https" && u.Scheme != "http":
		return endpoint{}, errors.New("the URL is neither https:// nor http://: use https://")
	case u.Fragment != "":
		return endpoint{}, errors.New("the URL has a fragment (#…), which is never sent: remove it or percent-encode the #")
	case timeout < 0:
		return endpoint{}, fmt.Errorf("the timeout %v is negative: use 0 for the default of %v", timeout, defaultTimeout)
	}
	if timeout == 0 {
		timeout = defaultTimeout
	}
	if rt == nil {
		rt = boundedTransport()
	}
	return endpoint{u, &http.Client{
		Transport: rt,
		// A redirect would carry the code to an address that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, timeout}, nil
}

// boundedTransport is http.DefaultTransport with a limit on an answer's header (its own is 10 MiB).
func boundedTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // somebody's own: theirs to bound
	}
	t = t.Clone()
	t.MaxResponseHeaderBytes = 64 << 10
	return t
}

// post sends body and returns the status and at most maxAnswer bytes of the answer.
func (e endpoint) post(ctx context.Context, header http.Header, body io.Reader) (int, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url.String(), body)
	if err != nil {
		return 0, nil, errors.New("the request cannot be made")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	req.Header.Set("User-Agent", "sallyport")
	res, err := e.client.Do(req)
	if err != nil {
		return 0, nil, transportError(ctx, err)
	}
	defer res.Body.Close()
	// The status has decided: what cannot be read of the answer only costs its details.
	answer, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return res.StatusCode, answer, nil
}

// transportError keeps the causes that are known to carry no bytes of the request or the answer, and the context's.
// *url.Error is dropped because it prints the address.
func transportError(ctx context.Context, err error) error {
	var (
		op     *net.OpError
		dns    *net.DNSError
		cert   *tls.CertificateVerificationError
		record tls.RecordHeaderError
	)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("no answer: %w", ctx.Err())
	case errors.As(err, &cert):
		return fmt.Errorf("no answer: %w", cert)
	case errors.As(err, &op):
		return fmt.Errorf("no answer: %w", op)
	case errors.As(err, &dns):
		return fmt.Errorf("no answer: %w", dns)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return errors.New("no answer: the other side does not speak TLS on this port")
	}
	return errors.New("no answer that is valid HTTP")
}
