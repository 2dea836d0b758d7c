"""Live sample traffic for the workspace `demo`, through the public API as any sender would."""
