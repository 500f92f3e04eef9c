package runspec

import (
	"slices"
	"strings"
)

// Powerful reports whether a variable of that name is known to change what a program is or loads, so that whoever chooses its value runs what
// they like. Its value is never open. No list of such names is complete, as every program has its own: this one has loaders, shells, languages, build
// tools, package managers and what drives tests, and the endings that such names have.
func Powerful(name string) bool {
	name = strings.ToUpper(name)
	return slices.ContainsFunc(powerfulPrefixes, func(p string) bool { return strings.HasPrefix(name, p) }) ||
		slices.ContainsFunc(powerfulSuffixes, func(s string) bool { return strings.HasSuffix(name, s) || name == s[1:] }) ||
		slices.Contains(powerfulNames, name)
}

//nolint:gochecknoglobals // they never change
var (
	powerfulPrefixes = []string{
		"LD_", "DYLD_", "GLIBC_", "MALLOC_", "BASH_FUNC_", "SEATRIAL_",
		"GIT_", "SSH_", "CURL_", "WGET", "DOCKER_", "KUBE", "HELM_", "AWS_CONFIG", "AWS_SHARED_",
		"PYTHON", "PIP_", "UV_", "POETRY_", "PDM_", "CONDA_", "VIRTUALENV_", "TOX_", "PYTEST_", "LOCUST_",
		"NODE_", "NPM_", "YARN_", "PNPM_", "COREPACK_", "BUN_", "DENO_", "TS_NODE_", "BABEL_", "VITE_", "VITEST_", "JEST_", "MOCHA_",
		"PLAYWRIGHT_", "PUPPETEER_", "CYPRESS_", "SELENIUM_", "CHROME_", "WDIO_", "K6_", "XK6_", "ARTILLERY_", "JMETER_", "JVM_",
		"PERL", "RUBY", "BUNDLE_", "GEM_", "RSPEC_", "PHP", "COMPOSER_", "LUA_",
		"MAVEN_", "MVN_", "GRADLE_", "ANT_", "SBT_", "KOTLIN_", "SCALA_", "GROOVY_", "JAVA_", "JDK_",
		"DOTNET_", "CORECLR_", "COR_", "COMPLUS_", "NUGET_", "MSBUILD", "VSTEST_",
		"CARGO_", "RUSTC_", "RUSTUP_", "RUSTFLAGS", "RUSTDOC", "CMAKE_", "CCACHE_", "PKG_CONFIG",
	}
	powerfulSuffixes = []string{
		"_OPT", "_OPTS", "_OPTIONS", "_ARG", "_ARGS", "_ARGUMENTS", "_ADDOPTS", "_FLAGS", "_PLUGIN", "_PLUGINS", "_CONFIG", "_CONFIG_FILE", "_CONFIG_PATH",
		"_WRAPPER", "_LAUNCHER", "_REQUIRE", "_PRELOAD", "_COMMAND", "_CMD", "_EXEC", "_EXECUTABLE", "_SHELL", "_EDITOR", "_PAGER", "_ASKPASS", "_PROXY",
		"_PYTHONPATH", "_CLASSPATH", "_LIBRARY_PATH", "_RCFILE", "_RC", "_HOOK", "_HOOKS", "_INIT", "_LOADER", "_COMPILER", "_INTERPRETER",
	}
	powerfulNames = []string{
		"PATH", "HOME", "ENV", "BASH_ENV", "BASHOPTS", "SHELL", "SHELLOPTS", "IFS", "PS4", "PROMPT_COMMAND", "CDPATH", "FPATH", "GLOBIGNORE", "TMPDIR", "ZDOTDIR",
		"_JAVA_OPTIONS", "CLASSPATH", "ANSIBLE_CONFIG", "INPUTRC", "TERMINFO", "TERMINFO_DIRS", "TERMCAP", "PWD", "OLDPWD", "USERPROFILE", "PATHEXT", "COMSPEC",
		"GOFLAGS", "GOPROXY", "GOROOT", "GOPATH", "GOENV", "GOTOOLCHAIN", "GOAUTH", "GOSUMDB", "GONOSUMDB", "GONOSUMCHECK", "GOINSECURE", "GOPRIVATE", "GOMODCACHE", "GOCACHE", "GOCACHEPROG", "GODEBUG", "GOWORK", "GOBIN", "GOVCS",
		"CC", "CXX", "CPP", "AR", "AS", "LD", "CFLAGS", "CXXFLAGS", "CPPFLAGS", "LDFLAGS", "MAKEFLAGS", "MAKEFILES", "GNUMAKEFLAGS", "MFLAGS", "RUSTC", "LIBRARY_PATH", "CPATH",
		"EDITOR", "VISUAL", "PAGER", "MANPAGER", "LESS", "LESSOPEN", "LESSCLOSE", "BROWSER", "OPENSSL_CONF", "OPENSSL_MODULES", "OPENSSL_ENGINES", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE",
		"GCONV_PATH", "NLSPATH", "LOCPATH", "HOSTALIASES", "RESOLV_HOST_CONF", "RES_OPTIONS", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "XDG_DATA_HOME", "XDG_DATA_DIRS", "XDG_CACHE_HOME",
		"PSQLRC", "PGSERVICEFILE", "PGSYSCONFDIR", "MYSQL_HOME", "SQLITE_HISTORY", "NETRC", "TAR_OPTIONS", "GREP_OPTIONS", "ERL_LIBS", "R_PROFILE", "R_PROFILE_USER", "R_ENVIRON",
	}
)
