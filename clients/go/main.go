// Every change of your orders, each once, over server-sent events, by the standard library alone.
//
// MARKETPLACE_TOKEN=… go run . prints a line of order and version for each. Nothing is lost or doubled over broken
// connections and restarted routers: each connection goes on behind the last cursor.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strings"
	"time"
)

const (
	query = `subscription { myOrderEvents { kind cursor orderId version status } }`
	// A sign of life comes every 12 seconds; longer silence is a broken connection.
	silence = 40 * time.Second
)

// passing are the codes of ends that the router, or its successor, goes on after.
var passing = map[string]bool{"SERVER_DRAINING": true, "SLOW_CONSUMER": true, "UNAVAILABLE": true,
	"OVERLOADED": true, "RATE_LIMITED": true, "DEADLINE_EXCEEDED": true}

// errPaused says that the stream goes on from its cursor.
var errPaused = errors.New("the stream goes on later")

// Event is one frame. Kind GAP says that history is gone: read again what you keep.
type Event struct {
	Kind, Cursor, OrderID, Status string
	Version                       int
}

type result struct {
	Data *struct {
		MyOrderEvents     Event
		OrderEventsCursor string
	}
	Errors []struct {
		Message    string
		Extensions struct{ Code string }
	}
	Extensions struct{ Cursor string }
}

// check gives an error for a result without data: errPaused where another try helps.
func (r result) check() error {
	if r.Data != nil {
		return nil
	}
	for _, fault := range r.Errors {
		if !passing[fault.Extensions.Code] {
			return errors.New(fault.Message)
		}
	}
	return errPaused
}

type client struct {
	url   string
	token func() string
}

// Follow hands every event to take, until the router completes the stream or refuses it for good.
func (c client) Follow(ctx context.Context, take func(Event)) error {
	const first, longest = 500 * time.Millisecond, 8 * time.Second
	cursor, wait := "", first
	for {
		err := c.connection(ctx, &cursor, func(event Event) { wait = first; take(event) })
		if !errors.Is(err, errPaused) {
			return err
		}
		// At random, so that all clients of one router do not come back at once.
		select {
		case <-time.After(time.Duration(float64(wait) * (0.1 + 0.9*rand.Float64()))):
		case <-ctx.Done():
			return ctx.Err()
		}
		wait = min(2*wait, longest)
	}
}

// connection is one connection, behind the cursor, which it moves on.
func (c client) connection(ctx context.Context, cursor *string, take func(Event)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	watchdog := time.AfterFunc(silence, cancel)
	defer watchdog.Stop()
	if *cursor == "" {
		// Asked first, so that a break before the first frame loses nothing.
		body, err := c.post(ctx, "{ orderEventsCursor }", "application/json", "")
		if err != nil {
			return err
		}
		defer body.Close()
		var end result
		if json.NewDecoder(body).Decode(&end) != nil {
			return errPaused
		}
		if err := end.check(); err != nil {
			return err
		}
		*cursor = end.Data.OrderEventsCursor
	}
	body, err := c.post(ctx, query, "text/event-stream", *cursor)
	if err != nil {
		return err
	}
	defer body.Close()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var name, data string
	for lines.Scan() {
		watchdog.Reset(silence)
		field, value, _ := strings.Cut(lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch {
		case field == "event":
			name = value
		case field == "data":
			data += value
		case lines.Text() != "":
			// The id is in the frame too, and a comment is the sign of life.
		case name == "complete":
			return nil
		case name == "next":
			var frame result
			if err := json.Unmarshal([]byte(data), &frame); err != nil {
				return err
			}
			if err := frame.check(); err != nil {
				return err
			}
			take(frame.Data.MyOrderEvents)
			*cursor, name, data = frame.Extensions.Cursor, "", ""
		default:
			name, data = "", ""
		}
	}
	return errPaused
}

func (c client) post(ctx context.Context, query, accept, cursor string) (io.ReadCloser, error) {
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("authorization", "Bearer "+c.token())
	request.Header.Set("content-type", "application/json")
	request.Header.Set("accept", accept)
	if cursor != "" {
		request.Header.Set("last-event-id", cursor)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, errPaused
	}
	if response.StatusCode == http.StatusOK {
		return response.Body, nil
	}
	defer response.Body.Close()
	if response.StatusCode >= 500 || response.StatusCode == http.StatusTooManyRequests {
		return nil, errPaused
	}
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<10))
	return nil, fmt.Errorf("status %d: %s", response.StatusCode, text)
}

func main() {
	url := os.Getenv("MARKETPLACE_URL")
	if url == "" {
		url = "http://127.0.0.1:4000/graphql"
	}
	// A real program asks its issuer for a token that has not ended.
	c := client{url, func() string { return os.Getenv("MARKETPLACE_TOKEN") }}
	err := c.Follow(context.Background(), func(event Event) { fmt.Println(event.OrderID, event.Version) })
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
