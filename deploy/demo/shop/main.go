// Command shop is the small web shop that the demo's tests try: a catalog, a cart, a checkout. It keeps its carts in memory.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"syscall"
	"time"
)

//go:embed shop.html
var page string

type item struct {
	ID    string
	Name  string
	Cents int
}

// Price returns the price in euros.
func (i item) Price() string { return fmt.Sprintf("%d.%02d €", i.Cents/100, i.Cents%100) }

type shop struct {
	page  *template.Template
	items []item

	mu    sync.Mutex
	carts map[string]map[string]int // by visitor, by item
}

func main() { os.Exit(run()) }

func run() int {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil)).With("component", "shop")
	tmpl, err := template.New("shop").Parse(page)
	if err != nil {
		log.Error("parse page", "error", err)
		return 1
	}
	s := &shop{page: tmpl, carts: map[string]map[string]int{}, items: []item{
		{"compass", "Compass", 4900}, {"lantern", "Lantern", 3250}, {"rope", "Rope, 30 m", 1899},
	}}
	server := &http.Server{Addr: ":8080", Handler: s.routes(), ReadHeaderTimeout: 5 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- server.ListenAndServe() }()
	select {
	case err = <-done:
	case <-ctx.Done():
		err = server.Close()
		<-done //nolint:errcheck // it says only that the server was closed, which Close did
	}
	if err != nil && !errors.Is(err, http.ErrServerClosed) {
		log.Error("serve", "error", err)
		return 1
	}
	return 0
}

func (s *shop) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", s.show)
	mux.HandleFunc("POST /cart/{item}", s.add)
	mux.HandleFunc("POST /checkout", s.checkout)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// visitor names the browser by a cookie.
func (s *shop) visitor(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie("visitor"); err == nil && c.Value != "" {
		return c.Value
	}
	id := strconv.FormatInt(time.Now().UnixNano(), 36)
	http.SetCookie(w, &http.Cookie{Name: "visitor", Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}) //nolint:gosec // G124: the demo shop is served without TLS
	return id
}

type view struct {
	Items   []item
	Cart    map[string]int
	Count   int
	Total   string
	Ordered bool
}

func (s *shop) view(visitor string) view {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, cents := view{Items: s.items, Cart: map[string]int{}}, 0
	for _, i := range s.items {
		n := s.carts[visitor][i.ID]
		v.Cart[i.ID] = n
		v.Count += n
		cents += n * i.Cents
	}
	v.Total = item{Cents: cents}.Price()
	return v
}

func (s *shop) show(w http.ResponseWriter, r *http.Request) {
	v := s.view(s.visitor(w, r))
	v.Ordered = r.URL.Query().Has("ordered")
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := s.page.Execute(w, v); err != nil {
		http.Error(w, "the page could not be made", http.StatusInternalServerError)
	}
}

func (s *shop) add(w http.ResponseWriter, r *http.Request) {
	id, visitor := r.PathValue("item"), s.visitor(w, r)
	for _, i := range s.items {
		if i.ID != id {
			continue
		}
		s.mu.Lock()
		if s.carts[visitor] == nil {
			s.carts[visitor] = map[string]int{}
		}
		s.carts[visitor][id]++
		s.mu.Unlock()
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	http.Error(w, fmt.Sprintf("there is no item %q", id), http.StatusNotFound)
}

func (s *shop) checkout(w http.ResponseWriter, r *http.Request) {
	visitor := s.visitor(w, r)
	if s.view(visitor).Count == 0 {
		http.Error(w, "the cart is empty", http.StatusConflict)
		return
	}
	s.mu.Lock()
	delete(s.carts, visitor)
	s.mu.Unlock()
	http.Redirect(w, r, "/?ordered", http.StatusSeeOther)
}
