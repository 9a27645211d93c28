export function startMock(port?: number): Promise<{
  origin: string;
  seen: { method: string; path: string; query: string; body: string }[];
  close: () => Promise<unknown>;
}>;
